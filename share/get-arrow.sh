#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Prints a folder that holds Arrow C++ with Parquet, for -DDEPTHLENS_ARROW_DIR=...: DEPTHLENS_ARROW_PREFIX, or that of
# python3's pyarrow, or one in the cache folder, filled with the PyPI wheel of pyarrow (about 50 MB; 170 MB on the disk).
set -euo pipefail
case "${1:-}" in -h | --help) sed -n '3,4s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;; esac

if [[ -n "${DEPTHLENS_ARROW_PREFIX:-}" ]]; then
  printf '%s\n' "$DEPTHLENS_ARROW_PREFIX"
  exit
fi
wheel=$(python3 -c 'import importlib.util as u; s = u.find_spec("pyarrow"); print(s.submodule_search_locations[0] if s else "")')
if [[ -z "$wheel" ]]; then
  version=26.0.1
  folder=${XDG_CACHE_HOME:-$HOME/.cache}/depthlens/pyarrow-$version
  wheel=$folder/pyarrow
  if [[ ! -e "$wheel/include/arrow/api.h" ]]; then
    rm -rf -- "$folder.part"
    if ! python3 -m pip install --quiet --disable-pip-version-check --no-deps --target "$folder.part" \
      "pyarrow==$version" </dev/null >&2; then
      echo "share/get-arrow.sh: Arrow cannot be installed; name one that is there with DEPTHLENS_ARROW_PREFIX" >&2
      exit 1
    fi
    rm -rf -- "$folder"
    mv -- "$folder.part" "$folder"
  fi
fi
printf '%s\n' "$wheel"
