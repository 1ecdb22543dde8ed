# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What the tests of share/cluster have in common, to be sourced: one run of several experiments on the demo
# model and data, done by one process and planned as shards, and the comparison of both.
#   case_begin FOLDER [PROGRAM]     sets program, model, run (the command's words), folder; makes token counts
#   case_one                        the run by one process, in FOLDER/one
#   case_plan ENGINE OUT FILE       plans N shards in OUT and writes the job file for an engine
#   case_member OUT SHARD NAME      what `depthlens status --json` says of a shard
#   case_compare OUT                every table of OUT against the one of FOLDER/one, byte by byte
# DEPTHLENS_MODEL=M another model; DEPTHLENS_CUTS=N the length of the work (default 4).

case_root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
case_shards=4
case_begun=$SECONDS

say() { printf '%s  %4d s  %s\n' "$(date -u +%T)" "$((SECONDS - case_begun))" "$*"; }
fail() { say "FAILED: $*"; exit 1; }

case_begin() {
  folder=$(realpath -- "$1")
  program=${2:-$case_root/build/release/bin/depthlens}
  [[ -x "$program" ]] || { echo "there is no $program: build it, or name one by --program" >&2; exit 69; }
  program=$(realpath -- "$program")
  model=${DEPTHLENS_MODEL:-$(bash "$case_root/share/get-model.sh")} || exit
  local demo=$case_root/share/demo
  "$program" -q tokens count --model "$model" --text "$demo/counts.txt" --out "$folder/counts.json" || exit
  run=(pos facts downstream freq flips early-exit --model "$model" --backend cpu --device cpu --threads 1
    --data "pos=$demo/prose.conllu" --data "facts=$demo/facts.json"
    --data "downstream.sentiment=$demo/sentiment.json" --data "downstream.topic=$demo/topic.json"
    --data "freq,flips,early-exit=$demo/counts.txt" --token-counts "$folder/counts.json"
    --cuts "${DEPTHLENS_CUTS:-4}" --format svg)
}

case_one() {
  local begun=$SECONDS
  "$program" -q run "${run[@]}" --out "$folder/one" >"$folder/one.log" 2>&1 ||
    { tail -n 5 "$folder/one.log"; fail "the run by one process ended with $?"; }
  say "one process: $((SECONDS - begun)) s, $(find "$folder/one/data" -name '*.csv' | wc -l) tables"
}

case_plan() {
  "$program" shard "${run[@]}" --n "$case_shards" --out "$2" --write "$1" >"$3" 2>"$folder/plan.log" ||
    { cat "$folder/plan.log"; fail "depthlens shard --write $1"; }
  if grep -nE '@[A-Z]+@' "$3"; then fail "a placeholder is left in $3"; fi
}

# A member of a shard in what status says, as `finished`; nothing where it is not there.
case_member() {
  "$program" status "$1" --json 2>/dev/null | python3 -c '
import json, sys
for shard in json.load(sys.stdin)["shards"]:
    if shard["shard"] == int(sys.argv[1]): print(shard.get(sys.argv[2], ""))' "$2" "$3" || true
}

# Tables and figures.
case_compare() {
  local one=$folder/one file part different=0 count=0
  for part in data plots; do
    while IFS= read -r file; do
      count=$((count + 1))
      cmp -- "$one/$part/$file" "$1/$part/$file" || different=$((different + 1))
    done < <(cd -- "$one/$part" && find . -type f | sort)
    diff <(cd -- "$one/$part" && find . -type f | sort) <(cd -- "$1/$part" && find . -type f | sort) ||
      different=$((different + 1))
  done
  ((different == 0)) || fail "$different of $count files of $1 are not those of one process"
  say "$1: $count tables and figures are those of one process, to the byte"
}
