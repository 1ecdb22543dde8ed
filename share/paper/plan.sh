# SPDX-License-Identifier: Apache-2.0
# Sourced by run.sh: what its runs would take, by `depthlens run --dry-run` of each stage and of all, and a
# rate. Needs what run.sh knows: its commands, the options of each stage, model, threads and rate.

measured_rate() {
  local line options=(--count 8 --tokens 64)
  if [[ -n "$threads" ]]; then options+=(--threads "$threads"); fi
  say "measuring the rate: depthlens bench ${options[*]} (--rate gives one instead)"
  line=$("$depthlens" -q bench --model "$model" "${options[@]}" --json </dev/null) || exit $?
  rate=$("$python" -c 'import json, sys; print(json.loads(sys.argv[1])["gflop_per_s"]["useful"])' "$line")
  rate=$(LC_ALL=C printf '%.1f' "$rate")
}

# One plan into the folder of plans; what several of them warn of is said once, by say_warnings.
plan_into() {
  local file=$1 status=0
  shift
  "$@" --dry-run </dev/null >"$file.txt" 2>>"${file%/*}/said" || status=$?
  if ((status)); then say_warnings "${file%/*}"; exit $status; fi
}
say_warnings() { awk '!seen[$0]++' "$1/said" >&2; }

dry_run() {
  local of stage folder
  folder=$(mktemp -d "${TMPDIR:-/tmp}/depthlens-paper.XXXXXX")
  trap "rm -rf -- ${folder@Q}" EXIT
  for of in $(modes); do
    stages_of "$of"
    data_of "$of"
    for stage in "${mode_stages[@]}"; do
      command_for "$of" "$stage"
      eval "command+=(${stage_options[$stage]})"
      plan_into "$folder/$of.$stage" "${command[@]}"
    done
    if ((${#mode_stages[@]} == 0)); then continue; fi
    command_for "$of" "${mode_stages[@]}"
    plan_into "$folder/$of.all" "${command[@]}" "${mode_data[@]}"
  done
  say_warnings "$folder"
  local said="as given by --rate"
  if [[ -z "$rate" ]]; then
    measured_rate
    said="which depthlens bench measures here on made-up prompts, in f32"
  fi
  "$python" "$here/estimate.py" "$folder" "$rate"
  cat <<TEXT
hours: GFLOP of products by a rate of $rate GFLOP a second, $said.
"all" is the one command of a mode: what stages share is computed once. "tokens" are those to compute; prompts
that are asked again (white space, and tokens of facts in mode seed) come on top, as do attention and figures.
TEXT
  if ! is_among patching "${ready[@]}"; then return; fi
  cat <<'TEXT'
Of patching the GFLOP and hours are an upper bound, several times too high: of its changed runs the output
alone is read, and all layers are counted.
TEXT
}
