#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs the experiments of "How Do LLMs Use Their Depth?" on one of its models with its data, and sets the
# paper's numbers beside those that come out. inputs.sh finds the data, plan.sh says what it would take,
# compare.py makes the table and the page; README.md says more.
set -euo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
python=${DEPTHLENS_PYTHON:-python3}
export PYTHONDONTWRITEBYTECODE=1

usage() {
  cat <<'TEXT'
usage: run.sh --model-config FILE|NAME --data DIR --out DIR [OPTION...] [-- OPTION OF depthlens run...]
  --model-config M   gpt2-xl, pythia-6.9b, llama-2-7b, llama-3-8b, or a file as those in models/
  --data DIR         the paper's data files: dset_*.json, MQuAKE-CF-3k-v2.json, token counts
  --out DIR          gets DIR/NAME/right, DIR/NAME/seed (the runs), comparison.md, comparison.csv, report.html
  --mode MODE        right (depthlens as it is), seed (--seed-compat) or both; default: both
  --stages LIST      of pos,facts,downstream,freq,flips,patching,early-exit; default: all that have data
  --limit N          only the first N records of each data set
  --threads N        default: all allowed
  --model PATH       this model instead of the one in the Hugging Face cache: a folder, a .gguf, another name
  --lens LENS        beside the logit lens this one instead of the published tuned lens; may be given twice
  --use NAME=FILE    a file for data that DIR lacks; NAME is one of DET ADP PUNCT ADJ VERB NOUN BASELINE FACTS
                     MMLU SST NLI MRPC COUNTS
  --corpus TEXT      where there are no token counts for the model: count this text
  --dry-run          tokens, memory and hours of each stage; runs nothing but depthlens bench, for the rate, and
                     writes nothing but OUT/inputs (files cut to their first rows) and counts of --corpus
  --rate GFLOP       with --dry-run: the machine does so many GFLOP a second, instead of measuring it
Stopped, the same command goes on. Environment: DEPTHLENS_PROGRAM (the program), DEPTHLENS_PYTHON (python3).
TEXT
}

say() { printf '%s\n' "run.sh: $*" >&2; }
fail() { local status=$1; shift; say "$*"; exit "$status"; }
wrong() { fail 64 "$*; see run.sh --help"; }

show_and_run() {
  say "+ $(printf '%q ' "$@")"
  "$@" </dev/null
}

. "$here/inputs.sh"
. "$here/plan.sh"
config='' data_dir='' out='' mode=both stages='' limit='' threads='' model='' corpus='' dry_run=no rate=''
declare -A used=()
lenses=() left_out=() extra=()

is_number() { [[ "$1" =~ ^[1-9][0-9]{0,8}$ ]]; }
is_among() { local word=$1; shift; [[ " $* " == *" $word "* ]]; }

take_use() {
  local name=${1%%=*} file=${1#*=}
  [[ "$1" == *=* && -n "$file" ]] || wrong "--use $1: expected NAME=FILE"
  is_among "$name" "${data_names[@]}" || wrong "--use $1: NAME is one of ${data_names[*]}"
  [[ -f "$file" ]] || fail 66 "--use $1: no such file"
  used[$name]=$file
}

while (($#)); do
  case "$1" in
    -h | --help) usage; exit 0 ;;
    --dry-run) dry_run=yes; shift; continue ;;
    --) shift; extra=("$@"); break ;;
    --model-config | --data | --out | --mode | --stages | --limit | --threads) ;;
    --model | --lens | --use | --corpus | --rate) ;;
    *) wrong "unknown argument $1" ;;
  esac
  (($# > 1)) && [[ -n "$2" ]] || wrong "$1 needs a value"
  case "$1" in
    --model-config) config=$2 ;;
    --data) data_dir=$2 ;;
    --out) out=$2 ;;
    --mode) is_among "$2" right seed both || wrong "--mode $2: expected right, seed or both"; mode=$2 ;;
    --stages) stages=$2 ;;
    --limit) is_number "$2" || wrong "--limit $2: expected a number from 1"; limit=$2 ;;
    --threads) is_number "$2" || wrong "--threads $2: expected a number from 1"; threads=$2 ;;
    --model) model=$2 ;;
    --lens) lenses+=("$2") ;;
    --use) take_use "$2" ;;
    --corpus) [[ -f "$2" ]] || fail 66 "--corpus $2: no such file"; corpus=$2 ;;
    --rate)
      [[ "$2" =~ ^[0-9]{1,9}(\.[0-9]+)?$ && "$2" =~ [1-9] ]] || wrong "--rate $2: expected GFLOP a second"
      rate=$2 ;;
  esac
  shift 2
done

# The program: as named, of this source tree, of this installation, or on the path.
find_program() {
  local at
  if [[ -n "${DEPTHLENS_PROGRAM:-}" ]]; then depthlens=$DEPTHLENS_PROGRAM; return; fi
  for at in "$here/../../build/release/bin/depthlens" "$here/../../../bin/depthlens"; do
    if [[ -x "$at" ]]; then depthlens=$(realpath -- "$at"); return; fi
  done
  depthlens=$(command -v depthlens) ||
    fail 69 "there is no depthlens; build it (share/build.sh) or set DEPTHLENS_PROGRAM"
}

check_arguments() {
  local stage there
  [[ -n "$config" ]] || wrong "there is no --model-config"
  [[ -n "$data_dir" ]] || wrong "there is no --data"
  [[ -n "$out" ]] || wrong "there is no --out"
  if [[ "$config" != */* && -f "$here/models/$config.conf" ]]; then config=$here/models/$config.conf; fi
  there=$(cd -- "$here/models" && echo *.conf)
  [[ -f "$config" ]] || fail 66 "--model-config $config: no such file; the paper's are ${there//.conf/}"
  [[ -d "$data_dir" ]] || fail 66 "--data $data_dir: no such folder"
  [[ -z "$rate" || $dry_run == yes ]] || wrong "--rate is for --dry-run"
  IFS=, read -ra stage_list <<<"${stages:-$(IFS=,; printf '%s' "${all_stages[*]}")}"
  for stage in "${stage_list[@]}"; do
    is_among "$stage" "${all_stages[@]}" ||
      wrong "--stages $stage: expected some of ${all_stages[*]}, divided by commas"
  done
  "$python" -c '' 2>/dev/null || fail 69 "$python does not run; the table needs Python 3.9 or newer"
}

# `model`, and what is said of it to `depthlens run`; another model goes by its own name.
choose_model() {
  model_key=$(basename -- "$config" .conf)
  counts_name=$(paper_line counts)
  model_options=(--config "$config")
  if [[ -n "$model" ]]; then
    model_options+=(--model "$model" --name "$(basename -- "$(realpath -ms -- "$model")" .gguf)")
  else
    model=$(config_line model)
  fi
  local lens
  choose_lenses
  for lens in "${lenses[@]}"; do model_options+=(--lens "$lens"); done
  if [[ -n "$threads" ]]; then model_options+=(--threads "$threads"); fi
  if [[ -n "$limit" ]]; then model_options+=(--limit "$limit"); fi
}

# Stages that have data, in `ready`, and their options together, in `all_given`.
collect_inputs() {
  local stage counts
  ready=() all_given=()
  declare -gA stage_options=()
  if is_among freq "${stage_list[@]}" || is_among flips "${stage_list[@]}"; then find_counts; fi
  for stage in "${stage_list[@]}"; do
    inputs_of "$stage" || continue
    ready+=("$stage")
    all_given+=("${given[@]}")
    if is_among "$stage" freq flips; then given+=(--token-counts "$counts"); fi
    stage_options[$stage]=$(printf '%q ' "${given[@]}")
  done
  ((${#ready[@]})) || fail 66 "no stage has its data in $data_dir"
  if is_among freq "${ready[@]}" || is_among flips "${ready[@]}"; then
    all_given+=(--token-counts "$counts")
  fi
}

modes() { if [[ $mode == both ]]; then printf 'right seed'; else printf '%s' "$mode"; fi; }

# The command of a mode for some stages, in `command`; its data come after.
command_for() {
  local of=$1
  shift
  command=("$depthlens" run "$@" "${model_options[@]}" --out "$out/$model_key/$of")
  if [[ $of == seed ]]; then command+=(--seed-compat); fi
  command+=("${extra[@]}")
}

stages_of() {
  local stage
  mode_stages=()
  for stage in "${ready[@]}"; do
    if [[ "$1 $stage" != "seed patching" ]]; then mode_stages+=("$stage"); fi
  done
  if ((${#mode_stages[@]} < ${#ready[@]})); then
    say "mode seed: without patching, which has no published form"
  fi
}

# The data of the stages of a mode: without those of patching in mode seed.
data_of() {
  local i
  mode_data=()
  for ((i = 0; i < ${#all_given[@]}; i += 2)); do
    if [[ "$1" == seed && "${all_given[i + 1]}" == patching.* ]]; then continue; fi
    mode_data+=("${all_given[@]:i:2}")
  done
}

run_all() {
  local of status=0 ended begin
  mkdir -p -- "$out/$model_key" || fail 73 "cannot create $out/$model_key"
  printf '%s\n' "${left_out[@]}" | sed '/^$/d' >"$out/$model_key/left-out.txt"
  for of in $(modes); do
    stages_of "$of"
    data_of "$of"
    if ((${#mode_stages[@]} == 0)); then continue; fi
    command_for "$of" "${mode_stages[@]}"
    ended=0 begin=$SECONDS
    show_and_run "${command[@]}" "${mode_data[@]}" || ended=$?
    say "mode $of: $((SECONDS - begin)) s, status $ended"
    case $ended in
      0) ;;
      1) status=1 ;;  # finished, with a set of which nothing could be read
      75) fail 75 "stopped; the same command goes on" ;;
      *) fail $ended "mode $of failed" ;;
    esac
  done
  "$python" "$here/compare.py" "$out" --model "$model_key" || exit $?
  printf 'table:  %s\nfigures and numbers: %s\n' "$out/comparison.md" "$out/report.html"
  exit $status
}

check_arguments
find_program
choose_model
collect_inputs
if [[ $dry_run == yes ]]; then dry_run; else run_all; fi
