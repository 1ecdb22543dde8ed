#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Configures and builds one preset, with no more compilers at once than cores and memory bear: an
# out-of-memory kill in the middle of a build is a poor first impression. Uses ccache where it is installed.
#   share/build.sh [PRESET [CMAKE OPTION...]]   default: release; options as -DNAME=VALUE
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
preset=${1:-release}
(($# == 0)) || shift

# One compiler may take 2 GiB here; counts what is free now and what a container allows.
jobs_by_memory() {
  local kib limit
  kib=$(awk '/^MemAvailable:/ { print $2 }' /proc/meminfo 2>/dev/null || true)
  limit=$(cat /sys/fs/cgroup/memory.max 2>/dev/null || true)
  if [[ "$limit" =~ ^[0-9]{1,15}$ ]] && ((limit / 1024 < ${kib:-0})); then kib=$((limit / 1024)); fi
  local jobs=$((${kib:-0} / (2 * 1024 * 1024))) cores
  cores=$(nproc)
  ((jobs >= 1)) || jobs=1
  printf '%s\n' "$((jobs < cores ? jobs : cores))"
}

if ! command -v cmake >/dev/null; then
  echo "build: cmake is not installed: bash share/setup-packages.sh" >&2
  exit 69
fi
# An activated conda environment is where the libraries are, whether or not its compilers say so.
if [[ -n "${CONDA_PREFIX:-}" ]]; then
  export CMAKE_PREFIX_PATH=$CONDA_PREFIX${CMAKE_PREFIX_PATH:+:$CMAKE_PREFIX_PATH}
fi
# Sources that have not changed since are not compiled again, where ccache is.
if command -v ccache >/dev/null; then
  export CMAKE_C_COMPILER_LAUNCHER=${CMAKE_C_COMPILER_LAUNCHER-ccache}
  export CMAKE_CXX_COMPILER_LAUNCHER=${CMAKE_CXX_COMPILER_LAUNCHER-ccache}
fi
cmake --preset "$preset" "$@" </dev/null >&2
cmake --build --preset "$preset" --parallel "${DEPTHLENS_JOBS:-$(jobs_by_memory)}" </dev/null >&2
