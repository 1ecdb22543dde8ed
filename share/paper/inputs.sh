# SPDX-License-Identifier: Apache-2.0
# Sourced by run.sh: which files the experiments get. Data are looked for in the folder of the paper's files
# by the names that they have there; what is missing leaves its stage, or its part of one, out, and is said.
# Needs what run.sh knows: its options and words (say, fail, show_and_run), here, python and depthlens.
all_stages=(pos facts downstream freq flips patching early-exit)
pos_sets=(DET ADP PUNCT ADJ VERB NOUN BASELINE)
tasks=(MMLU SST NLI MRPC)
data_names=("${pos_sets[@]}" FACTS "${tasks[@]}" COUNTS)
# Rows of a file that the published code takes; the later ones are left out by it too.
declare -A most_rows=(
  [pos.DET]=10000 [pos.ADP]=10000 [pos.PUNCT]=10000 [pos.ADJ]=20000 [pos.VERB]=20000 [pos.NOUN]=20000
  [pos.BASELINE]=20000 [downstream.MMLU]=3000 [downstream.SST]=3000 [downstream.NLI]=3000
  [downstream.MRPC]=3000 [freq]=100000 [flips]=100000 [early-exit]=100000)

# The file of a name of data, or nothing; of several that find has, the one nearest to the top.
file_of() {
  local name=$1 pattern patterns=("dset_$1.json")
  if [[ -n "${used[$name]:-}" ]]; then printf '%s\n' "${used[$name]}"; return; fi
  if [[ $name == FACTS ]]; then patterns=(MQuAKE-CF-3k-v2.json); fi
  if [[ $name == COUNTS ]]; then patterns=("token_frequency_$counts_name.json" "$counts_name.json"); fi
  for pattern in "${patterns[@]}"; do
    find -L "$data_dir" -maxdepth 4 -type f -name "$pattern" -printf '%d %p\n' | LC_ALL=C sort -n |
      sed -n '1s/^[0-9]* //p'
  done | sed -n 1p
}

leave_out() {
  left_out+=("$1: $2")
  say "left out: $1 ($2)"
}

# What a name of data would be, for who lacks it.
wanted_file() {
  case "$1" in
    FACTS) echo "no MQuAKE-CF-3k-v2.json in $data_dir; --use FACTS=FILE names one" ;;
    BASELINE) echo "no dset_BASELINE.json in $data_dir; --use BASELINE=FILE takes rows or a plain text" ;;
    COUNTS) echo "no token_frequency_$counts_name.json in $data_dir; --corpus TEXT counts a text with the" \
                 "model's tokenizer, --use COUNTS=FILE takes a table of depthlens tokens count" ;;
    *) echo "no dset_$1.json in $data_dir; --use $1=FILE names one" ;;
  esac
}

# Adds --data KEY=FILE to `given`, FILE being what NAME stands for; false where there is none.
add_data() {
  local key=$1 name=$2 file
  file=$(file_of "$name")
  if [[ -z "$file" ]]; then leave_out "$key" "$(wanted_file "$name")"; return 1; fi
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
    pos) for set in "${pos_sets[@]}"; do if add_data "pos.$set" "$set"; then found=yes; fi; done ;;
    downstream) for set in "${tasks[@]}"; do if add_data "downstream.$set" "$set"; then found=yes; fi; done ;;
    facts) if add_data facts FACTS; then found=yes; fi ;;
    early-exit) if add_data early-exit BASELINE; then found=yes; fi ;;
    patching) if add_data patching.source SST && add_data patching.target MMLU; then found=yes; fi ;;
    freq | flips)
      if [[ -z "$counts" ]]; then leave_out "$stage" "$(wanted_file COUNTS)"
      elif add_data "$stage" BASELINE; then found=yes; fi ;;
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
  leave_out "tuned lens" "no $(paper_line tuned_lens)/params.pt of the Hugging Face space \
AlignmentResearch/tuned-lens in its cache or in $data_dir; --lens tuned=DIR names a folder"
}
