#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Prints a folder of Python packages that the tests of share/python need, for PYTHONPATH; nothing where the Python at
# hand has them. Installs them once (about 330 MB) beside the other things that depthlens gets.
set -euo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
python=${DEPTHLENS_PYTHON:-python3}
if "$python" -c 'import duckdb, matplotlib, pandas, polars, pyarrow; assert int(pandas.__version__.split(".")[0]) >= 2' 2>/dev/null; then
  exit 0
fi
which=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
folder=${XDG_CACHE_HOME:-$HOME/.cache}/depthlens/test-packages-$which-$(sha256sum <"$here/requirements.txt" | cut -c1-8)
if [[ ! -d "$folder" ]]; then
  mkdir -p -- "${folder%/*}"
  rm -rf -- "$folder.part"
  if ! said=$("$python" -m pip install --quiet --disable-pip-version-check --target "$folder.part" \
    -r "$here/requirements.txt" </dev/null 2>&1); then
    printf '%s\ntests/python/packages.sh: pip cannot install them (no network?)\n' "$said" >&2
    exit 69
  fi
  mv -- "$folder.part" "$folder"
fi
printf '%s\n' "$folder"
