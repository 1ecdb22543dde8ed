#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# From a fresh clone to the tables and figures of all five experiments on a real model, in one command:
# packages, build, demo model, run. Every stage keeps what is done, so a second call does nothing twice.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: share/quickstart.sh [--build-only] [--out DIR]
  --build-only   install what is missing and build; no model, no run
  --out DIR      folder for tables and figures (default: depthlens-demo in the project's folder)
Environment:
  DEPTHLENS_MODEL=M           run this model (as for `depthlens run --model M`) instead of the demo model
  DEPTHLENS_NO_INSTALL=1      install no packages (they come from conda, modules, ...)
  DEPTHLENS_JOBS=N            compilers at once (default: one per core and 2 GiB of free memory)
TEXT
}

say() { printf '%s\n' "$*" >&2; }
fail() { local status=$1; shift; say "quickstart: $*"; exit "$status"; }

build_only=no
out=
while (($#)); do
  case "$1" in
    --build-only) build_only=yes ;;
    --out) (($# > 1)) || { usage >&2; exit 64; }; out=$2; shift ;;
    --out=*) out=${1#--out=} ;;
    -h | --help) usage; exit 0 ;;
    *) usage >&2; exit 64 ;;
  esac
  shift
done
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
if [[ -n "$out" && "$out" != /* ]]; then out=$PWD/$out; fi
if [[ -e "${DEPTHLENS_MODEL:-}" ]]; then DEPTHLENS_MODEL=$(realpath -- "$DEPTHLENS_MODEL"); fi
cd -- "$root"
out=${out:-depthlens-demo}
demo=share/demo
depthlens=build/release/bin/depthlens

# Runs a stage and says how long it took.
stage() {
  local name=$1 begin=$SECONDS
  shift
  "$@" || fail $? "stopped at: $name"
  say "== $name: $((SECONDS - begin)) s"
}

show_and_run() {
  say "+ $(printf '%q ' "$@")"
  "$@" </dev/null
}

set_up() { [[ -n "${DEPTHLENS_NO_INSTALL:-}" ]] || bash share/setup-packages.sh; }

# A first build leaves out the tests, which take longer to compile than the program; tests/run.sh adds them.
build() {
  if [[ -e build/release/CMakeCache.txt ]]; then bash share/build.sh release
  else bash share/build.sh release -DDEPTHLENS_TESTS=OFF; fi
}

get_model() { model=${DEPTHLENS_MODEL:-$(bash share/get-model.sh)}; }

# Token counts are made again only when the text or the model is newer than they are.
count_tokens() {
  local counts=$out/token-counts.json
  if [[ "$counts" -nt $demo/counts.txt && "$counts" -nt "$model" ]]; then return; fi
  mkdir -p -- "$out" || return 73
  show_and_run "$depthlens" tokens count --model "$model" --text $demo/counts.txt --out "$counts"
}

run_experiments() {
  show_and_run "$depthlens" run pos facts downstream freq flips --model "$model" --out "$out/run" \
    --data pos=$demo/prose.conllu --data facts=$demo/facts.json \
    --data downstream.sentiment=$demo/sentiment.json --data downstream.topic=$demo/topic.json \
    --data freq,flips=$demo/prose.conllu --token-counts "$out/token-counts.json"
}

count_files() { find "$1" -type f -name "$2" | wc -l; }

begin_all=$SECONDS
stage packages set_up
stage build build
if [[ $build_only == yes ]]; then
  say "built: $root/$depthlens"
  exit 0
fi
stage model get_model
stage "token counts" count_tokens
stage experiments run_experiments
printf '%s tables:  %s\n' "$(count_files "$out/run/data" '*.csv')" "$(cd -- "$out/run/data" && pwd)"
printf '%s figures: %s\n' "$(count_files "$out/run/plots" '*.png')" "$(cd -- "$out/run/plots" && pwd)"
printf 'all stages: %s s\n' "$((SECONDS - begin_all))"
