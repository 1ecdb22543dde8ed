# SPDX-License-Identifier: Apache-2.0
# Sourced by run.sh: which files the experiments get. Data are looked for in the folder of the paper's files by the names
# that they have there; what is missing leaves its stage, or its part of one, out, and is said. Needs say, fail, here, and
# the answers to run.sh's options (data_dir, out, model_name, used, corpus, lenses).
all_stages=(pos facts downstream freq flips patching early-exit)
pos_sets=(DET ADP PUNCT ADJ VERB NOUN BASELINE)
tasks=(MMLU SST NLI MRPC)
data_names=("${pos_sets[@]}" FACTS "${tasks[@]}" COUNTS)
# Rows of a file that the published code takes; the later ones are left out by it too.
declare -A most_rows=([pos.DET]=10000 [pos.ADP]=10000 [pos.PUNCT]=10000 [pos.ADJ]=20000 [pos.VERB]=20000
                      [pos.NOUN]=20000 [pos.BASELINE]=20000 [downstream.MMLU]=3000 [downstream.SST]=3000
                      [downstream.NLI]=3000 [downstream.MRPC]=3000 [freq]=100000 [flips]=100000 [early-exit]=100000)

# The file of a name of data, or nothing; of several that find has, the one nearest to the top.
file_of() {
  local name=$1 pattern patterns=("dset_$1.json")
  if [[ -n "${used[$name]:-}" ]]; then printf '%s\n' "${used[$name]}"; return; fi
  if [[ $name == FACTS ]]; then patterns=(MQuAKE-CF-3k-v2.json); fi
  if [[ $name == COUNTS ]]; then patterns=("token_frequency_$counts_name.json" "$counts_name.json"); fi
  for pattern in "${patterns[@]}"; do
    find -L "$data_dir" -maxdepth 4 -type f -name "$pattern" -printf '%d %p\n' | sort -n | sed -n '1s/^[0-9]* //p'
  done | head -n 1
}

leave_out() {
  left_out+=("$1: $2")
  say "left out: $1 ($2)"
}

# What a name of data would be, for who lacks it.
wanted_file() {
  case "$1" in
    FACTS) printf 'no MQuAKE-CF-3k-v2.json in %s; --use FACTS=FILE names one' "$data_dir" ;;
    BASELINE) printf 'no dset_BASELINE.json in %s; --use BASELINE=FILE takes rows or a plain text' "$data_dir" ;;
    COUNTS) printf 'no token_frequency_%s.json in %s; --corpus TEXT counts a text with the model'\''s tokenizer, ' \
              "$counts_name" "$data_dir"
            printf -- '--use COUNTS=FILE takes a table of depthlens tokens count' ;;
    *) printf 'no dset_%s.json in %s; --use %s=FILE names one' "$1" "$data_dir" "$1" ;;
  esac
}

# Adds --data KEY=FILE to `given`, FILE being what NAME stands for; false where there is none.
add_data() {
  local key=$1 name=$2 what=$3 file
  file=$(file_of "$name")
  if [[ -z "$file" ]]; then leave_out "$what" "$(wanted_file "$name")"; return 1; fi
  if [[ -n "${most_rows[$key]:-}" ]]; then
    file=$("$python" "$here/first_rows.py" "$file" "${most_rows[$key]}" "$out/inputs") || exit $?
  fi
  given+=(--data "$key=$file")
}

# Token counts, made of --corpus where there are none; in `counts`, empty where there is neither.
find_counts() {
  counts=$(file_of COUNTS)
  if [[ -n "$counts" || -z "$corpus" ]]; then return; fi
  counts=$out/$model_key/token-counts.json
  if [[ "$counts" -nt "$corpus" ]]; then return; fi
  mkdir -p -- "$out/$model_key" || fail 73 "cannot create $out/$model_key"
  show_and_run "$depthlens" tokens count --model "$model" --text "$corpus" --out "$counts" || exit $?
}

# The data of a stage, in `given`; false where it has to be left out.
inputs_of() {
  local stage=$1 set found=no
  given=()
  case "$stage" in
    pos) for set in "${pos_sets[@]}"; do if add_data "pos.$set" "$set" "pos.$set"; then found=yes; fi; done ;;
    downstream)
      for set in "${tasks[@]}"; do if add_data "downstream.$set" "$set" "downstream.$set"; then found=yes; fi; done ;;
    facts) if add_data facts FACTS facts; then found=yes; fi ;;
    early-exit) if add_data early-exit BASELINE early-exit; then found=yes; fi ;;
    patching)
      if add_data patching.source SST "patching (source)" && add_data patching.target MMLU "patching (target)"; then
        found=yes
      fi ;;
    freq | flips)
      if [[ -z "$counts" ]]; then leave_out "$stage" "$(wanted_file COUNTS)"
      elif add_data "$stage" BASELINE "$stage"; then found=yes; fi ;;
  esac
  [[ $found == yes ]]
}

# A line "# paper: NAME = VALUE" of the config file, and a plain one.
paper_line() { sed -n "s/^# paper: $1 *= *//p" "$config" | head -n 1; }
config_line() { sed -n "s/^$1 *= *//p" "$config" | head -n 1; }

# The published tuned lens: in the Hugging Face cache, where a snapshot of its space is, or among the data.
find_tuned_lens() {
  local place hub file
  place=$(paper_line tuned_lens)
  [[ -n "$place" ]] || return 0
  hub=${HF_HUB_CACHE:-${HUGGINGFACE_HUB_CACHE:-${HF_HOME:-${XDG_CACHE_HOME:-$HOME/.cache}/huggingface}/hub}}
  for file in "$hub"/spaces--AlignmentResearch--tuned-lens/snapshots/*/"$place"/params.pt \
              "$data_dir/$place/params.pt" "$data_dir/${place#lens/}/params.pt"; do
    if [[ -e "$file" ]]; then printf '%s\n' "${file%/params.pt}"; return; fi
  done
}

# The lens that the paper reads with, unless the user named one; the logit lens stands in the config file.
choose_lenses() {
  local folder
  if ((${#lenses[@]})); then return; fi
  folder=$(find_tuned_lens)
  if [[ -n "$folder" ]]; then lenses=("tuned=$folder"); return; fi
  leave_out "tuned lens" "no $(paper_line tuned_lens)/params.pt of the Hugging Face space AlignmentResearch/tuned-lens \
in its cache or in $data_dir; --lens tuned=DIR names a folder, else the logit lens is read alone"
}
