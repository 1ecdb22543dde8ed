#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Prints a folder that holds libtorch, for -DDEPTHLENS_LIBTORCH_DIR=...: DEPTHLENS_LIBTORCH_PREFIX, or that of python3's torch,
# or one in the cache folder, filled with the parts of the PyPI wheels that the CPU needs (about 1.3 GB).
set -euo pipefail
case "${1:-}" in -h | --help) sed -n '3,4s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;; esac

if [[ -n "${DEPTHLENS_LIBTORCH_PREFIX:-}" ]]; then
  printf '%s\n' "$DEPTHLENS_LIBTORCH_PREFIX"
  exit
fi
wheel=$(python3 -c 'import importlib.util as u; s = u.find_spec("torch"); print(s.submodule_search_locations[0] if s else "")')
if [[ -z "$wheel" ]]; then
  folder=${XDG_CACHE_HOME:-$HOME/.cache}/depthlens/torch-2.11.0
  wheel=$folder/torch
  if [[ ! -e "$wheel/lib/libtorch_cpu.so" ]]; then
    rm -rf -- "$folder.part"
    if ! python3 -m pip install --quiet --no-deps --target "$folder.part" \
      torch==2.11.0 nvidia-cuda-runtime==13.0.96 nvidia-cuda-cupti==13.0.85 >&2; then
      echo "share/get-torch.sh: libtorch cannot be installed; name one that is there with DEPTHLENS_LIBTORCH_PREFIX" >&2
      exit 1
    fi
    rm -rf -- "$folder"
    mv -- "$folder.part" "$folder"
  fi
fi
printf '%s\n' "$wheel"
