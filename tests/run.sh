#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds everything, runs all tests, and fuzzes each reader for a moment where clang is; the status is ctest's, or 1.
#   tests/run.sh [--quick] [--with-torch] [CTEST ARGUMENT...]
# --quick leaves out the tests labelled slow and the fuzzing; --with-torch finds libtorch or installs it (about 1.3 GB),
# builds the torch backend and tests it too. Arguments for ctest leave out the fuzzing. The tagger of share/tag-text.sh
# (330 MB) is installed, once, for its tests, but not with --quick; so are pandas, polars and matplotlib (130 MB) for
# those of share/python, and pyarrow and duckdb (200 MB) for those of Parquet files, unless python3 has them.
# DEPTHLENS_FUZZ_SECONDS=N fuzzes each reader for N seconds (default 10; 0 = not at all),
# DEPTHLENS_STRICT=1 takes warnings for errors and checks the style of the sources (tests/style.sh) too,
# DEPTHLENS_NO_INSTALL=1 installs no packages, DEPTHLENS_MODEL=FILE.gguf takes that demo model,
# DEPTHLENS_REFERENCE=DIR holds the reference data (default: ../shared, where there is one).
set -euo pipefail
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
case "${1:-}" in -h | --help) sed -n '3,12s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;; esac
if [[ -n "${DEPTHLENS_MODEL:-}" ]]; then DEPTHLENS_MODEL=$(realpath -- "$DEPTHLENS_MODEL"); fi
if [[ -n "${DEPTHLENS_REFERENCE:-}" ]]; then
  DEPTHLENS_REFERENCE=$(realpath -- "$DEPTHLENS_REFERENCE")
  export DEPTHLENS_REFERENCE
fi
cd -- "$root"
labels=() torch=0
while [[ "${1:-}" == --quick || "${1:-}" == --with-torch ]]; do
  if [[ "$1" == --quick ]]; then labels=(-LE slow); else torch=1; fi
  shift
done

begin=$SECONDS
if [[ -z "${DEPTHLENS_NO_INSTALL:-}" ]]; then bash share/setup-packages.sh; fi
options=(-DDEPTHLENS_TESTS=ON)
if [[ -n "${DEPTHLENS_STRICT:-}" ]]; then options+=(-DDEPTHLENS_WERROR=ON); fi
if ((torch)); then
  prefix=$(bash share/get-torch.sh)
  options+=(-DDEPTHLENS_TORCH=ON "-DDEPTHLENS_LIBTORCH_DIR=$prefix")
fi
if ((${#labels[@]} == 0)); then
  bash share/tag-text.sh --environment >/dev/null ||
    echo "tests/run.sh: skipped: the tests of share/tag-text.sh (no tagger)" >&2
  if packages=$(bash tests/python/packages.sh); then
    export PYTHONPATH=$packages${PYTHONPATH:+:$PYTHONPATH}
  else
    echo "tests/run.sh: skipped: the tests of share/python (no pandas)" >&2
  fi
  if [[ -z "${DEPTHLENS_NO_INSTALL:-}" ]] && arrow=$(bash share/get-arrow.sh); then  # that of the packages, if they are there
    options+=(-DDEPTHLENS_ARROW=ON "-DDEPTHLENS_ARROW_DIR=$arrow")
  else
    echo "tests/run.sh: Arrow is not installed; without it the tests of Parquet files are skipped" >&2
  fi
fi
bash share/build.sh release "${options[@]}"
if [[ -z "${DEPTHLENS_MODEL:-}" ]]; then DEPTHLENS_MODEL=$(bash share/get-model.sh); fi
export DEPTHLENS_MODEL
built=$((SECONDS - begin))

fuzz_seconds=${DEPTHLENS_FUZZ_SECONDS:-10}
if (($# + ${#labels[@]} > 0)); then fuzz_seconds=0; fi
status=0
ctest --test-dir build/release --output-on-failure --no-tests=error -j2 "${labels[@]}" "$@" </dev/null ||
  status=$?
if [[ -n "${DEPTHLENS_STRICT:-}" ]]; then
  if [[ -z "${DEPTHLENS_NO_INSTALL:-}" ]]; then
    bash share/setup-packages.sh --style || echo "tests/run.sh: clang-format cannot be installed" >&2
  fi
  styled=0
  bash tests/style.sh || styled=$?
  case $styled in
    0) ;;
    69) echo "tests/run.sh: skipped: the style of the sources (no clang-format)" >&2 ;;
    *) status=1 ;;
  esac
fi
if [[ "$fuzz_seconds" != 0 ]]; then
  if [[ -z "${DEPTHLENS_NO_INSTALL:-}" ]]; then
    bash share/setup-packages.sh --fuzz || echo "tests/run.sh: clang cannot be installed" >&2
  fi
  fuzzed=0
  DEPTHLENS_FUZZ_SEED=1 bash tests/fuzz/run.sh "$fuzz_seconds" || fuzzed=$?
  case $fuzzed in
    0) ;;
    69) echo "tests/run.sh: skipped: fuzzing (no clang); the corpus was replayed by the test fuzz-corpus" >&2 ;;
    *) status=1 ;;
  esac
fi
printf 'tests/run.sh: %s s to set up and build, %s s in all\n' "$built" "$((SECONDS - begin))" >&2
exit "$status"
