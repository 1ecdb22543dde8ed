#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds everything and runs all tests; the status is ctest's.
#   tests/run.sh [--quick] [--with-torch] [CTEST ARGUMENT...]
# --quick leaves out the tests labelled slow; --with-torch finds libtorch or installs it (about 1.3 GB), builds the torch
# backend and tests it too.
# DEPTHLENS_NO_INSTALL=1 installs no packages, DEPTHLENS_MODEL=FILE.gguf takes that demo model,
# DEPTHLENS_REFERENCE=DIR holds the reference data (default: ../shared, where there is one).
set -euo pipefail
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
case "${1:-}" in -h | --help) sed -n '3,8s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;; esac
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
if ((torch)); then
  prefix=$(bash share/get-torch.sh)
  options+=(-DDEPTHLENS_TORCH=ON "-DCMAKE_PREFIX_PATH=$prefix")
fi
bash share/build.sh release "${options[@]}"
if [[ -z "${DEPTHLENS_MODEL:-}" ]]; then DEPTHLENS_MODEL=$(bash share/get-model.sh); fi
export DEPTHLENS_MODEL
built=$((SECONDS - begin))

status=0
ctest --test-dir build/release --output-on-failure --no-tests=error -j2 "${labels[@]}" "$@" </dev/null ||
  status=$?
printf 'tests/run.sh: %s s to set up and build, %s s in all\n' "$built" "$((SECONDS - begin))" >&2
exit "$status"
