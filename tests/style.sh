#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The rules of style that tools hold: clang-format on every source, clang-tidy on the lines that changed.
#   tests/style.sh [REVISION]   changed since REVISION (default: $DEPTHLENS_BASE, else the commit before the last)
# DEPTHLENS_TIDY_SECONDS=N ends clang-tidy after N seconds (default 600; 0 = not at all).
# Exit status 0 = nothing found; 1 = findings, on stdout; 69 = no clang-format.
set -euo pipefail
case "${1:-}" in -h | --help) sed -n '3,6s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;; esac
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
base=${1:-${DEPTHLENS_BASE:-HEAD~1}}
seconds=${DEPTHLENS_TIDY_SECONDS:-600}
if ! command -v clang-format >/dev/null; then
  echo "style: there is no clang-format here" >&2
  exit 69
fi

status=0
git ls-files -z -- '*.hpp' '*.cpp' '*.h' '*.cu' | xargs -0 clang-format --dry-run --Werror || status=1

if [[ "$seconds" == 0 ]]; then exit "$status"; fi
if ! git rev-parse -q --verify "$base^{commit}" >/dev/null; then
  echo "style: skipped: clang-tidy (there is no revision $base to compare with)" >&2
  exit "$status"
fi
tidy=$(command -v clang-tidy-diff || command -v clang-tidy-diff.py || true)
if [[ -z "$tidy" ]]; then
  echo "style: skipped: clang-tidy (there is no clang-tidy-diff here)" >&2
  exit "$status"
fi
# A database with every source by itself, which one of sources compiled by the handful is not.
cmake -G Ninja -S . -B build/style -DDEPTHLENS_UNITY=OFF -DDEPTHLENS_TESTS=ON >/dev/null
found=$(mktemp "${TMPDIR:-/tmp}/depthlens-style.XXXXXX")
trap 'rm -f -- "$found"' EXIT
ended=0
# What this build does not compile cannot be looked at: its libraries' headers are not found.
left_out=()
grep -q /plugins/torch/model.cpp build/style/compile_commands.json || left_out=(':!plugins/torch' ':!tests/torch')
git diff -U0 "$base" -- '*.cpp' '*.hpp' "${left_out[@]}" |
  timeout "$seconds" "$tidy" -p1 -path build/style -quiet -j "$(nproc)" -regex '.*\.(cpp|hpp)$' >"$found" 2>/dev/null || ended=$?
# Findings are of a file of this tree; what has no place is about a library.
if grep -E "^$PWD/[^:]+:[0-9]+:[0-9]+: (warning|error):" "$found"; then status=1; fi
if ((ended == 124)); then
  echo "style: clang-tidy was ended after $seconds s; not all of $(git diff --name-only "$base" | wc -l) files were looked at" >&2
fi
exit "$status"
