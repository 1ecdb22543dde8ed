#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs of many prompts on a tiny model: seconds and peak memory, the time in which a finished run is read again,
# and the merge of many shards, whose tables must be those of one process.
#   tests/cluster/scale.sh [--program DEPTHLENS] [--keep DIR] [--prompts N]... [--shards N]...
#     --program   the program (default: build/release/bin/depthlens)
#     --keep DIR  works in DIR and leaves it; otherwise in a temporary folder, removed when all went well
#     --prompts   how many (default: 10000, 100000 and 1000000: about 15 minutes on two cores)
#     --shards    of a run of twice as many prompts, each computed by a process (default: 1000; 10000 takes about half
#                 an hour)
# Exit status 0 = all went well; 1 = tables differ; 69 = the program is missing.
set -euo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
root=$(cd -- "$here/../.." && pwd)
program=$root/build/release/bin/depthlens keep='' prompts=() shards=()
while (($#)); do
  case "$1" in
    --program) program=${2:?}; shift ;;
    --keep) keep=${2:?}; shift ;;
    --prompts) prompts+=("${2:?}"); shift ;;
    --shards) shards+=("${2:?}"); shift ;;
    -h | --help) sed -n '3,12s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;;
    *) echo "scale: unknown: $1" >&2; exit 64 ;;
  esac
  shift
done
((${#prompts[@]} + ${#shards[@]})) || { prompts=(10000 100000 1000000); shards=(1000); }
[[ -x "$program" ]] || { echo "scale: $program is missing" >&2; exit 69; }
program=$(realpath -- "$program")
if [[ -n "$keep" ]]; then mkdir -p -- "$keep" && folder=$(realpath -- "$keep"); else folder=$(mktemp -d); fi
cd -- "$folder"

make_prompts() { # of 8 to 40 letters, no two alike
  python3 - "$1" <<'P'
import json, random, sys
draw = random.Random(1)
with open(f"prompts-{sys.argv[1]}.jsonl", "w") as out:
    for i in range(int(sys.argv[1])):
        words = draw.choices(("the", "mill", "stands", "beside", "river", "old"), k=draw.randint(1, 6))
        row = {"prompt": f"{i} {' '.join(words)}", "answer": draw.choice("abcdefgh")}
        print(json.dumps(row), file=out)
P
}

# Seconds and MiB at most of a command.
measured() {
  python3 - "$@" <<'P'
import resource, subprocess, sys, time
begin = time.time()
code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(f"{time.time() - begin:8.1f} s, {used.ru_maxrss // 1024} MiB at most")
sys.exit(code)
P
}

options=(--model "$root/tests/golden/models/gpt2" --format svg --quiet)
for n in "${prompts[@]}"; do
  make_prompts "$n"
  run=("$program" run early-exit "${options[@]}" --data "early-exit=prompts-$n.jsonl" --out "run-$n")
  printf '%9s prompts:        ' "$n" && measured "${run[@]}"
  printf '%9s  again, nothing: ' '' && measured "${run[@]}"
done

for n in "${shards[@]}"; do
  make_prompts $((2 * n))
  data="early-exit=prompts-$((2 * n)).jsonl"
  "$program" run early-exit "${options[@]}" --data "$data" --out "one-$n" >/dev/null
  "$program" shard early-exit "${options[@]}" --data "$data" --out "shards-$n" --n "$n" >/dev/null
  seq "$n" >numbers
  printf '%9s shards:         ' "$n"
  measured xargs -a numbers -P "$(nproc)" -I{} "$program" run early-exit "${options[@]}" --threads 1 --data "$data" \
    --out "shards-$n" --shard "{}/$n"
  printf '%9s  merge:          ' '' && measured "$program" merge "shards-$n" --quiet
  for table in "one-$n"/data/*.csv; do
    cmp -- "$table" "shards-$n/data/${table##*/}"
  done
  echo "          tables as of one process"
done
if [[ -z "$keep" ]]; then cd / && rm -rf -- "$folder"; fi
