#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# share/cluster/slurm.sh on a real Slurm: an array of four shards, in which one task is cancelled, one meets
# its time limit and one loses its node; then only what is left is submitted again, and the merged tables are
# compared with those of one process. Starts a cluster of two nodes on this machine, and ends it whatever
# happens.
#   tests/cluster/slurm.sh [--install] [--program DEPTHLENS] [--keep DIR]
#     --install   installs Debian's slurm-wlm and munge where they are missing
#     --program   the installed program (default: build/release/bin/depthlens)
#     --keep DIR  works in DIR and leaves it; otherwise in a temporary folder, removed when all went well
# Needs root. Takes about ten minutes on two cores. DEPTHLENS_CUTS=N (16) is for faster machines: a shard must
# take a minute or more, or it is done before its limit comes.
# Exit status 0 = as it should be; 1 = not; 69 = Slurm, root or the program is missing.
set -euo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
export DEPTHLENS_CUTS=${DEPTHLENS_CUTS:-16}
# shellcheck source=tests/cluster/case.sh
. "$here/case.sh"
# shellcheck source=tests/cluster/slurm_nodes.sh
. "$here/slurm_nodes.sh"

install=no program='' keep=''
while (($#)); do
  case "$1" in
    --install) install=yes ;;
    --program) program=${2:?}; shift ;;
    --keep) keep=${2:?}; shift ;;
    -h | --help) sed -n '3,14s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;;
    *) echo "slurm: unknown: $1" >&2; exit 64 ;;
  esac
  shift
done
[[ $EUID == 0 ]] || { echo "slurm: needs root, which starts jobs in a user's name" >&2; exit 69; }
if [[ $install == yes && -n "$(slurm_missing)" ]]; then
  apt-get install -y --no-install-recommends slurm-wlm munge >/dev/null
fi
if [[ -n "$(slurm_missing)" ]]; then
  echo "slurm: there is no $(slurm_missing)here: --install, or apt-get install slurm-wlm munge" >&2
  exit 69
fi

if [[ -n "$keep" ]]; then mkdir -p -- "$keep" && folder=$keep; else folder=$(mktemp -d); fi
chmod 755 "$folder"
finish() {
  local status=$?
  slurm_stop
  if [[ -z "$keep" && $status == 0 ]]; then rm -rf -- "$folder"; else echo "left in $folder"; fi
  exit "$status"
}
trap finish EXIT

state_of() { squeue --noheader --format=%T --jobs="$1" 2>/dev/null; }
is_running() { [[ "$(state_of "$1")" == RUNNING ]]; }
is_gone() { [[ -z "$(state_of "$1")" ]]; }
finished_records() { case_member "$out" "$1" finished; }
has_some() { (($(finished_records "$1") > 0)); }
starts_of() { cat "$folder"/work/*_"$1".log 2>/dev/null | grep -c '^== .* start ' || true; }
was_put_back() { grep -q 'back into the queue' "$folder"/work/*_"$1".log && ! is_running "${job}_$1"; }
started_again() { (($(starts_of "$1") > $2)) || { hurry; false; }; }
# Slurm holds a task that was put back for two minutes; that is cut short, once: each time begins a new wait.
hurry() {
  local task reason start
  while read -r task reason start; do
    if [[ "$reason" == BeginTime && "$start" != N/A ]] && (($(date -d "$start" +%s) > $(date +%s) + 5)); then
      scontrol update "JobId=$task" StartTime=now 2>/dev/null || true
    fi
  done < <(squeue --noheader --states=PENDING --format='%i %r %S')
}
on_two() { squeue --noheader --states=RUNNING --nodelist=two --format=%K --jobs="$job"; }
is_some_on_two() { [[ -n "$(on_two)" ]]; }
is_lost() { grep -q 'due to failure of node two' "$folder/slurm/slurmctld.log"; }
all_gone() { hurry; [[ -z "$(squeue --noheader)" ]]; }

case_begin "$folder" "$program"
say "$("$program" --version), $(slurmctld -V), $(nproc) cores"
case_one
rm -rf -- "$folder/work" "$folder/slurm"
mkdir -p -- "$folder/work"
out=$folder/work/run
cd -- "$folder/work"
case_plan slurm "$out" slurm.sh
sed 's/^/    /' "$folder/plan.log"
slurm_start "$folder"
say "Slurm is up: $(sinfo --noheader --Node --format='%N %T %c cores' | paste -sd, -)"

job=$(sbatch --parsable slurm.sh)
say "submitted: array $job, tasks 1-$case_shards"
slurm_until 60 "task 1 is running" is_running "${job}_1"
slurm_until 120 "shard 1 has records" has_some 1
scancel "${job}_1"
slurm_until 60 "task 1 is gone" is_gone "${job}_1"
say "task 1: cancelled with $(finished_records 1) records finished; $(tail -n 1 "${PWD}"/*-"${job}"_1.log)"

# So near that Slurm warns at once: the recipe asks for it two minutes before. Later it gets more time.
slurm_until 300 "shard 2 has records" has_some 2
scontrol update "JobId=${job}_2" TimeLimit=2
slurm_until 240 "task 2 was put back" was_put_back 2
scontrol update "JobId=${job}_2" TimeLimit=60
say "task 2: put back at its time limit with $(finished_records 2) records finished"

slurm_until 240 "a task is on node two" is_some_on_two
victim=$(on_two)
slurm_until 120 "shard $victim has records" has_some "$victim"
begun=$(starts_of "$victim")
had=$(finished_records "$victim")
slurm_lose two
# shellcheck disable=SC2154  # set there
say "node two is lost with task $victim at $had records: $slurm_lost processes killed"
slurm_until 180 "Slurm knows that node two is lost" is_lost
slurm_return two
slurm_until 180 "task $victim has started again" started_again "$victim" "$begun"
say "node two is back; $(grep -o 'requeue job.*' "$folder/slurm/slurmctld.log" | tail -n 1)"
slurm_until 240 "task 2 has started again" started_again 2 1
for task in 2 "$victim"; do grep -h '^== ' ./*-"${job}_$task".log; done | sed 's/^/    /'

slurm_until 1800 "the array ends" all_gone
"$program" status "$out" | sed 's/^/    /'
left=$("$program" status "$out" --left)
say "the array has ended; left: $left"
[[ "$left" == 1 ]] || fail "left should be 1"
if "$program" merge "$out" >"$folder/early-merge.log" 2>&1; then fail "merged what is not whole"; fi
say "merge says: $(head -n 1 "$folder/early-merge.log")"

again=$(sbatch --parsable --array="$left" slurm.sh)
slurm_until 1800 "array $again ends" all_gone
say "submitted again: array $again, task $left; it has ended"
[[ -z "$("$program" status "$out" --left)" ]] || fail "something is left"
for task in 1 2 3 4; do say "task $task was started $(starts_of $task) times"; done
begun=$SECONDS
"$program" merge "$out" >"$folder/merge.log" 2>&1 || { cat "$folder/merge.log"; fail "merge"; }
say "merged in $((SECONDS - begun)) s"
case_compare "$out"
"$program" verify "$out" --rows 20 >"$folder/verify.log" 2>&1 || { cat "$folder/verify.log"; fail "verify"; }
say "verify: $(tail -n 1 "$folder/verify.log")"
