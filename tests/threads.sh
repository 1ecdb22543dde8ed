#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs the tests of the engine and of the cpu backend under the thread sanitizer. oneTBB is built with it
# too, from Debian's source package: else every hand-over between its threads would look like a race.
#   tests/threads.sh [CTEST ARGUMENT...]     about 20 minutes on 2 cores the first time
set -euo pipefail
case "${1:-}" in -h | --help) sed -n '3,5s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;; esac
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
root=$(cd -- "$here/.." && pwd)
build=$root/build/threads
tbb=$build/tbb

# Downloads what dpkg says of the installed library's source; apt's own lists are left as they are.
fetch_tbb() {
  local lists=$build/apt source file
  source=$(dpkg-query -W -f '${source:Package}=${source:Version}' libtbb-dev)
  mkdir -p -- "$lists/parts" "$lists/lists/partial" "$build/tbb-source"
  for file in /etc/apt/sources.list.d/*.sources; do
    sed 's/^Types: deb$/Types: deb-src/' "$file" >"$lists/parts/${file##*/}"
  done
  local options=(-o "Dir::Etc::SourceList=/dev/null" -o "Dir::Etc::SourceParts=$lists/parts"
    -o "Dir::State::Lists=$lists/lists" -o "APT::Sandbox::User=root")
  apt-get "${options[@]}" -qq update
  (cd -- "$build" && apt-get "${options[@]}" -qq source --download-only "$source")
  tar -xf "$(find "$build" -maxdepth 1 -name '*.orig.tar.*' | head -n 1)" -C "$build/tbb-source" --strip-components 1
}

if [[ ! -d "$tbb/lib" ]]; then
  mkdir -p -- "$build"
  fetch_tbb >&2
  cmake -S "$build/tbb-source" -B "$build/tbb-build" -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DTBB_TEST=OFF \
    -DTBB_SANITIZE=thread -DTBB_STRICT=OFF -DTBBMALLOC_BUILD=OFF -DCMAKE_INSTALL_LIBDIR=lib "-DCMAKE_INSTALL_PREFIX=$tbb" >&2
  cmake --build "$build/tbb-build" --target install >&2
fi
bash "$root/share/build.sh" threads "-DTBB_DIR=$tbb/lib/cmake/TBB"
# A test that forks goes on in the child as a process of its own, with threads.
TSAN_OPTIONS="suppressions=$here/threads.supp second_deadlock_stack=1 die_after_fork=0 ${TSAN_OPTIONS:-}" \
  ctest --test-dir "$build" --output-on-failure --no-tests=error -R '^(host|backend-cpu-suite|backend-cpu-streamed)$' "$@"
