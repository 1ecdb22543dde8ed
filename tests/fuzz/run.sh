#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Fuzzes the readers: builds the targets with clang, and runs each of them for some time, as many at once as there are
# cores. Exit status 0 = no finding; 1 = findings, which lie in build/fuzz/findings; 69 = no clang that can.
#   tests/fuzz/run.sh [SECONDS [TARGET...]]    default: 300 seconds for each target, all targets
# DEPTHLENS_FUZZ_SEED=N makes the same inputs each time: the same random numbers, nothing from an earlier run; and is
# patient with a machine that stands still.
# Reports: build/fuzz/logs/TARGET.log. New inputs gather in build/fuzz/corpus; tests/fuzz/corpus is not changed.
set -euo pipefail
case "${1:-}" in -h | --help) sed -n '3,8s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;; esac
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
root=$(cd -- "$here/../.." && pwd)
build=$root/build/fuzz
seconds=${1:-300}
(($# == 0)) || shift
[[ "$seconds" =~ ^[0-9]+$ ]] || { echo "fuzz: SECONDS is a number, not $seconds" >&2; exit 64; }

probe=$(mktemp -d "${TMPDIR:-/tmp}/depthlens-clang.XXXXXX")
trap 'rm -rf -- "$probe"' EXIT
echo 'extern "C" int LLVMFuzzerTestOneInput(const char*, unsigned long) { return 0; }' >"$probe/probe.cpp"
if ! clang++ -std=c++20 -fsanitize=fuzzer,address,undefined "$probe/probe.cpp" -o "$probe/probe" 2>"$probe/log"; then
  echo "fuzz: there is no clang++ with libFuzzer and the sanitizers here:" >&2
  tail -n 2 -- "$probe/log" >&2
  exit 69
fi

bash "$root/share/build.sh" fuzz
mkdir -p -- "$build/logs" "$build/findings"
if (($# == 0)); then
  set -- "$build"/fuzz/*
  set -- "${@##*/}"
fi

# One target; libFuzzer's options bound what one input may cost: 10 s by the clock, 256 MiB at once, 1 GiB in all.
fuzz_one() {
  local name=$1 log=$build/logs/$1.log dictionary=$here/dictionaries/$1.dict
  local corpus=$build/corpus/$name longest=16384 patience=10
  if [[ -n "${DEPTHLENS_FUZZ_SEED:-}" ]]; then
    corpus=$probe/$name patience=120
  fi
  mkdir -p -- "$corpus"
  [[ "$name" != tokenizer_text ]] || longest=1024  # five tokenizers read it, several times each
  local options=(-max_total_time="$seconds" -max_len="$longest" -timeout="$patience" -malloc_limit_mb=256 -rss_limit_mb=1024
    -print_final_stats=1 -artifact_prefix="$build/findings/$name-")
  [[ -z "${DEPTHLENS_FUZZ_SEED:-}" ]] || options+=(-seed="$DEPTHLENS_FUZZ_SEED")
  [[ ! -e "$dictionary" ]] || options+=(-dict="$dictionary")
  if "$build/fuzz/$name" "${options[@]}" "$corpus" "$here/corpus/$name" >"$log" 2>&1 </dev/null; then
    printf '%-15s %12s inputs, %6s a second, %4s MiB at most: no finding\n' "$name" \
      $(sed -n 's/^stat::\(number_of_executed_units\|average_exec_per_sec\|peak_rss_mb\): *//p' "$log")
  else
    local status=$?
    printf '%-15s FINDING (exit status %s), see %s\n' "$name" "$status" "$log"
    grep -m 3 -E 'ERROR|runtime error|what\(\)|Test unit written' "$log" | cut -c1-400
    return 1
  fi
}
export -f fuzz_one
export seconds build here probe
printf '%s\n' "$@" | xargs -P "$(nproc)" -I{} bash -c 'fuzz_one {}' || exit 1
