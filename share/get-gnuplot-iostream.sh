#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Puts the single header gnuplot-iostream.h where CMake looks for it and prints its path. Debian's package
# of it depends on the default Boost and conflicts with the newer one that depthlens needs, so the package is
# unpacked into the user's cache instead of being installed. Does nothing when the header is there.
set -euo pipefail

fail() { printf 'gnuplot-iostream: %s\n' "$*" >&2; exit 69; }

cache=${XDG_CACHE_HOME:-${HOME:?is not set; set it or XDG_CACHE_HOME}/.cache}
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
for folder in "${DEPTHLENS_GNUPLOT_IOSTREAM_DIR:-}" "$cache/depthlens/include" "$root/build/deps/include" \
  ${CONDA_PREFIX:+"$CONDA_PREFIX/include"} /usr/local/include /usr/include; do
  if [[ -n "$folder" && -s "$folder/gnuplot-iostream.h" ]]; then
    printf '%s\n' "$folder/gnuplot-iostream.h"
    exit 0
  fi
done

for tool in apt-get dpkg-deb; do
  command -v "$tool" >/dev/null || fail "needs $tool; conda/README.md says how to get the header without it"
done
folder=$cache/depthlens/include
mkdir -p -- "$folder" || fail "cannot create $folder"
temp=$(mktemp -d "$cache/depthlens/header.XXXXXX")
trap 'rm -rf -- "$temp"' EXIT
# As root, apt fetches as the user _apt where it can; our folder is ours alone, so it is told to stay root.
(cd -- "$temp" &&
  apt-get -qq -o APT::Sandbox::User=root download libgnuplot-iostream-dev </dev/null >log 2>&1) || {
  cat -- "$temp/log" >&2
  fail "cannot download the Debian package libgnuplot-iostream-dev (are there package lists? apt-get update)"
}
dpkg-deb -x "$temp"/libgnuplot-iostream-dev_*.deb "$temp/tree"
header=$temp/tree/usr/include/gnuplot-iostream.h
[[ -s "$header" ]] || fail "libgnuplot-iostream-dev no longer holds the header"
mv -f -- "$header" "$folder/gnuplot-iostream.h"
printf '%s\n' "$folder/gnuplot-iostream.h"
