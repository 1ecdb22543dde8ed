#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds the fuzz targets as OSS-Fuzz does: with its compiler, flags and engine (CC, CXX, CFLAGS, CXXFLAGS,
# LIB_FUZZING_ENGINE) into $OUT, each with its corpus (NAME_seed_corpus.zip), dictionary and options. The
# libraries of share/setup-packages.sh are there already.
#   OUT=DIR bash tests/fuzz/oss-fuzz.sh      by hand: clang and libFuzzer with their address sanitizer
set -euo pipefail
case "${1:-}" in -h | --help) sed -n '3,7s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;; esac
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
root=$(cd -- "$here/../.." && pwd)
: "${OUT:?OUT names the folder for the programs}"
export CC=${CC:-clang} CXX=${CXX:-clang++}
flags=
[[ -n "${LIB_FUZZING_ENGINE:-}" ]] || flags="-fsanitize=fuzzer-no-link;-fsanitize=address"
build=${WORK:-$root/build}/oss-fuzz

bash "$root/share/get-gnuplot-iostream.sh" >/dev/null
cmake -S "$root" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DDEPTHLENS_TESTS=OFF -DDEPTHLENS_FUZZ=ON \
  "-DDEPTHLENS_FUZZ_FLAGS=$flags" "-DDEPTHLENS_FUZZ_ENGINE=${LIB_FUZZING_ENGINE:--fsanitize=fuzzer}"
cmake --build "$build" --target fuzz

mkdir -p -- "$OUT"
for program in "$build"/fuzz/*; do
  name=${program##*/}
  cp -- "$program" "$OUT/$name"
  rm -f -- "$OUT/${name}_seed_corpus.zip"
  (cd -- "$here/corpus/$name" && zip -q -r "$OUT/${name}_seed_corpus.zip" .)
  [[ ! -e "$here/dictionaries/$name.dict" ]] || cp -- "$here/dictionaries/$name.dict" "$OUT/"
  longest=16384
  [[ "$name" != tokenizer_text ]] || longest=1024
  printf '[libfuzzer]\nmax_len = %s\ntimeout = 10\nrss_limit_mb = 1024\nmalloc_limit_mb = 256\n' "$longest" >"$OUT/$name.options"
done
