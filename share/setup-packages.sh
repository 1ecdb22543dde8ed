#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs the Debian packages that depthlens is built from, and nothing else: says what is missing, leaves
# the rest alone and never removes a package. Silent when all is there. Takes the Boost that is already
# installed if it has JSON (1.75 or later), else the distribution's default, else the newest that apt offers.
#   share/setup-packages.sh             install what is missing
#   share/setup-packages.sh --missing   only print the missing packages, one a line
#   share/setup-packages.sh --fuzz      install clang and its sanitizers, which only tests/fuzz/run.sh needs
#   share/setup-packages.sh --style     install clang-format and clang-tidy, which only tests/style.sh needs
set -euo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)

packages=(g++ cmake ninja-build git ca-certificates python3 python3-pip pkg-config
  libtbb-dev libdnnl-dev libpcre2-dev libutf8proc-dev libxxhash-dev libzip-dev libssl-dev zlib1g-dev
  gnuplot-nox fonts-liberation)
boost_parts=(json program-options test filesystem iostreams)

say() { printf 'setup: %s\n' "$*" >&2; }
fail() { say "$*"; exit 69; }

# The names among the arguments that dpkg does not know as installed.
not_installed() {
  local have
  have=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" 2>/dev/null |
    sed -n 's/^installed //p' || true)
  comm -13 <(sort -u <<<"$have") <(printf '%s\n' "$@" | sort -u)
}

boost_packages() {  # $1 = 1.NN
  local part
  printf 'libboost%s-dev\n' "$1"
  for part in "${boost_parts[@]}"; do printf 'libboost-%s%s-dev\n' "$part" "$1"; done
}

# Boost versions (1.NN, NN >= 75) with a JSON library, newest first: from names of its packages on stdin.
json_boosts() {
  sed -n 's/^libboost-json1\.\([0-9]*\)-dev$/\1/p' | awk '$1 >= 75' | sort -rnu | sed 's/^/1./'
}
installed_boosts() {
  dpkg-query -W -f '${db:Status-Status} ${Package}\n' 'libboost1.*-dev' 2>/dev/null |
    sed -n 's/^installed libboost\(1\.[0-9]*\)-dev$/libboost-json\1-dev/p' | json_boosts
}
offered_boosts() {
  apt-cache search --names-only '^libboost-json1\.[0-9]+-dev$' | cut -d' ' -f1 | json_boosts
}
default_boost() {
  apt-cache depends libboost-dev 2>/dev/null |
    sed -n 's/.*Depends: libboost\(1\.[0-9]*\)-dev$/\1/p' | sed -n 1p
}

choose_boost() {
  local offered default
  if [[ -n "$(installed_boosts)" ]]; then installed_boosts | sed -n 1p; return; fi
  offered=$(offered_boosts)
  default=$(default_boost || true)
  if [[ -n "$default" ]] && grep -qxF -- "$default" <<<"$offered"; then
    printf '%s\n' "$default"
  else
    sed -n 1p <<<"$offered"
  fi
}

# clang of the distribution and the libraries of its sanitizers, which older ones have in another package.
clang_packages() {
  local version
  version=$(apt-cache depends clang 2>/dev/null | sed -n 's/.*Depends: clang-\([0-9]*\)$/\1/p' | sed -n 1p)
  printf '%s\n' clang
  [[ -n "$version" ]] || return 0
  if apt-cache show "libclang-rt-$version-dev" >/dev/null 2>&1; then
    printf 'libclang-rt-%s-dev\n' "$version"
  else
    printf 'libclang-common-%s-dev\n' "$version"
  fi
}

# Fills the array `missing`; an unknown Boost counts as missing under a readable name.
find_missing() {
  if [[ $wanted_for == fuzz ]]; then
    local -a clang
    mapfile -t clang < <(clang_packages)
    mapfile -t missing < <(not_installed "${clang[@]}")
    return
  fi
  if [[ $wanted_for == style ]]; then
    mapfile -t missing < <(not_installed clang-format clang-tidy)
    return
  fi
  local boost
  boost=$(choose_boost)
  local -a wanted=("${packages[@]}")
  if [[ -n "$boost" ]]; then
    mapfile -t -O "${#wanted[@]}" wanted < <(boost_packages "$boost")
  fi
  mapfile -t missing < <(not_installed "${wanted[@]}")
  [[ -n "$boost" ]] || missing+=("libboost-json-dev>=1.75")
}

explain_by_hand() {
  say "these packages are missing and cannot be installed from here ($1):"
  say "  apt-get install --no-install-recommends ${missing[*]}"
  say "Run that line as root and start again, or use conda, which needs neither: conda/README.md."
  say "DEPTHLENS_NO_INSTALL=1 skips this check where the libraries come from elsewhere."
  exit 69
}

# Sets the array `as_root`: the prefix that makes a command run as root, empty for root itself.
find_root() {
  as_root=()
  if [[ $EUID -eq 0 ]]; then return; fi
  command -v sudo >/dev/null || explain_by_hand "neither root nor sudo"
  if ! sudo -n true 2>/dev/null && [[ ! -t 0 ]]; then
    explain_by_hand "sudo asks for a password and there is no terminal"
  fi
  as_root=(sudo)
}

apt() {
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=120 \
    -o Dpkg::Use-Pty=0 "$@" </dev/null >>"$log" 2>&1
}

apt_failed() {
  tail -n 20 -- "$log" >&2
  fail "$1"
}

# True when apt has a version of every missing package to install.
all_known() {
  local known
  known=$(LC_ALL=C apt-cache policy "${missing[@]}" 2>/dev/null | grep -c '^  Candidate: [^(]' || true)
  ((known == ${#missing[@]}))
}

install_missing() {
  say "installing ${#missing[@]} packages: ${missing[*]}"
  apt install -y --no-install-recommends --no-remove "${missing[@]}"
}

# Why apt refused, and the way out that is the user's to choose: removing packages is not ours to do.
install_failed() {
  local old
  old=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' 'libboost1.*-dev' 2>/dev/null |
    sed -n 's/^installed \(libboost1\.[0-9]*-dev\)$/\1/p')
  if grep -q 'remove is disabled' "$log" && [[ -n "$old" && -z "$(installed_boosts)" ]]; then
    say "the headers of an older Boost ($old) are installed; Debian allows one version at a time."
    say "This line, as root, replaces them and removes what depends on them:"
    say "  apt-get install --no-install-recommends ${missing[*]}"
    fail "Or leave them and use conda: conda/README.md"
  fi
  apt_failed "apt-get install failed; see above (conflicts: use conda, conda/README.md)"
}

main() {
  if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    [[ -z "${CONDA_PREFIX:-}" ]] || { say "no apt here; taking libraries from $CONDA_PREFIX"; return; }
    fail "this script knows apt only; with any other system use conda: conda/README.md"
  fi
  wanted_for=build
  case "${1:-}" in --fuzz | --style) wanted_for=${1#--} ;; esac
  find_missing
  if [[ "${1:-}" == --missing ]]; then
    if ((${#missing[@]})); then printf '%s\n' "${missing[@]}"; fi
    return
  fi
  if ((${#missing[@]})); then
    find_root
    log=$(mktemp "${TMPDIR:-/tmp}/depthlens-apt.XXXXXX")
    trap 'rm -f -- "$log"' EXIT
    local updated=no
    if ! all_known; then
      say "updating the package lists"
      apt update || say "apt-get update had errors; going on with what it got"
      updated=yes
      find_missing
      all_known || apt_failed "apt does not offer all of: ${missing[*]} (no network? or use conda/README.md)"
    fi
    if ! install_missing; then
      if [[ $updated == yes ]] || grep -q 'remove is disabled' "$log"; then install_failed; fi
      say "that failed; once more with new package lists"
      apt update || say "apt-get update had errors; going on with what it got"
      install_missing || install_failed
    fi
  fi
  if [[ $wanted_for == build ]]; then bash "$here/get-gnuplot-iostream.sh" >/dev/null; fi
}

case "${1:-}" in
  "" | --missing | --fuzz | --style) main "$@" ;;
  *) printf 'usage: setup-packages.sh [--missing | --fuzz | --style]\n' >&2; exit 64 ;;
esac
