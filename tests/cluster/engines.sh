#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The job files of share/cluster other than Slurm's, each by its engine: four shards, one of which is stopped
# on its way and goes on, then the merged tables against those of one process, byte by byte.
#   tests/cluster/engines.sh [--install] [--program DEPTHLENS] [--keep DIR] [ENGINE...]
#     ENGINE      parallel, ssh (that over ssh to this machine), hyperqueue, snakemake, nextflow, kubernetes
#     --install   Debian's parallel and openssh-server, and in a folder of its own Python's snakemake,
#                 hyperqueue, kubernetes-validate and PyYAML
#     --program   the installed program (default: build/release/bin/depthlens)
#     --keep DIR  works in DIR and leaves it; otherwise in a temporary folder, removed when all went well
# Without `hq` HyperQueue runs inside Python. Kubernetes is never asked: its file is checked against the
# schema and its pods' command is run by hand. What cannot be had is said as skipped.
# Exit status 0 = none failed; 1 = one did; 69 = the program is missing.
set -euo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/cluster/case.sh
. "$here/case.sh"

install=no program='' keep='' engines=()
while (($#)); do
  case "$1" in
    --install) install=yes ;;
    --program) program=${2:?}; shift ;;
    --keep) keep=${2:?}; shift ;;
    -h | --help) sed -n '3,14s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;;
    parallel | ssh | hyperqueue | snakemake | nextflow | kubernetes) engines+=("$1") ;;
    *) echo "engines: unknown: $1" >&2; exit 64 ;;
  esac
  shift
done
((${#engines[@]})) || engines=(parallel ssh hyperqueue snakemake nextflow kubernetes)

if [[ -n "$keep" ]]; then mkdir -p -- "$keep" && folder=$keep; else folder=$(mktemp -d); fi
folder=$(realpath -- "$folder")
sshd=
finish() {
  local status=$?
  [[ -z "$sshd" ]] || kill "$sshd" 2>/dev/null || true
  if [[ -z "$keep" && $status == 0 ]]; then rm -rf -- "$folder"; else echo "left in $folder"; fi
  exit "$status"
}
trap finish EXIT

if [[ $install == yes ]]; then
  apt-get install -y --no-install-recommends parallel openssh-server >/dev/null
  [[ -x "$folder/venv/bin/snakemake" ]] || python3 -m venv "$folder/venv"
  "$folder/venv/bin/python" -m pip --quiet --disable-pip-version-check install \
    snakemake hyperqueue kubernetes-validate PyYAML
fi
export PATH=$folder/venv/bin:$PATH

# Stops shard 2 of a run once, when it has records.
stop_one() {
  local end=$((SECONDS + 600)) pid had
  while ((SECONDS < end)) && [[ "$(case_member "$1" 2 state)" != "done" ]]; do
    pid=$(case_member "$1" 2 pid)
    had=$(case_member "$1" 2 finished)
    if [[ -n "$pid" ]] && ((had > 0)) && kill -TERM "$pid" 2>/dev/null; then
      echo "shard 2 was stopped at $had records" >"$1.stopped"
      return
    fi
    sleep 0.3
  done
}

skip() { say "$1: skipped: $2"; skipped+=("$1"); }

has_module() { python3 -c "import $1" 2>/dev/null; }

# In a folder with a blank in its name, which quoting must bear.
by_engine() {
  local engine=$1 file=$2 begun=$SECONDS stopper
  shift 2
  work="$folder/by $engine"
  out="$work/run"
  mkdir -p -- "$work"
  cd -- "$work"
  case_plan "${engine/ssh/parallel}" "$out" "$file"
  stop_one "$out" &
  stopper=$!
  "$@" >"$work/engine.log" 2>&1 || { tail -n 20 "$work/engine.log"; fail "$engine ended with $?"; }
  wait "$stopper"
  [[ -e "$out.stopped" ]] || fail "$engine: no shard was stopped on its way: DEPTHLENS_CUTS is too small"
  # Snakemake and Nextflow have merged already.
  [[ -e "$out/run.json" ]] || "$program" -q merge "$out" >>"$work/engine.log" 2>&1 || fail "merge of $engine"
  say "$engine: $((SECONDS - begun)) s; $(cat "$out.stopped")"
  case_compare "$out"
}

start_sshd() {
  local port
  mkdir -p /run/sshd "$folder/ssh"
  [[ -e "$folder/ssh/key" ]] || ssh-keygen -q -t ed25519 -N '' -f "$folder/ssh/key"
  [[ -e "$folder/ssh/host" ]] || ssh-keygen -q -t ed25519 -N '' -f "$folder/ssh/host"
  port=$((20000 + RANDOM % 20000))
  "$(command -v sshd || echo /usr/sbin/sshd)" -D -f /dev/null -E "$folder/ssh/log" -o Port="$port" \
    -o ListenAddress=127.0.0.1 -o HostKey="$folder/ssh/host" -o AuthorizedKeysFile="$folder/ssh/key.pub" \
    -o StrictModes=no -o PidFile=none -o MaxStartups=100 &
  sshd=$!
  printf '2/ssh -p %s -i %s -o %s -o %s -o %s %s\n' "$port" "$folder/ssh/key" StrictHostKeyChecking=no \
    UserKnownHostsFile=/dev/null LogLevel=ERROR "$(id -un)@127.0.0.1" >"$folder/ssh/hosts"
  for _ in {1..50}; do
    (: >"/dev/tcp/127.0.0.1/$port") 2>/dev/null && return
    sleep 0.1
  done
  return 1
}

# A task that was stopped counts as failed in HyperQueue; what is left is then submitted again.
by_hq() {
  local file=$1
  hq server start >"$work/server.log" 2>&1 &
  hq worker start --cpus="$(nproc)" >"$work/worker.log" 2>&1 &
  sleep 2
  hq submit --wait "$file" || hq submit --wait --array="$("$program" status "$out" --left)" "$file"
  hq server stop
}
by_hq_in_python() {
  local words=("$here/hyperqueue_local.py" "$1" "$(nproc)")
  python3 "${words[@]}" || python3 "${words[@]}"
}

try_one() {
  case "$1" in
    parallel) command -v parallel >/dev/null || { skip "$1" "there is no parallel"; return; }
      by_engine "$1" parallel.sh bash parallel.sh ;;
    ssh) [[ -x /usr/sbin/sshd && -n "$(command -v parallel)" ]] || { skip "$1" "there is no sshd"; return; }
      start_sshd || fail "sshd did not start: $(cat "$folder/ssh/log")"
      by_engine "$1" parallel.sh bash parallel.sh "$folder/ssh/hosts" ;;
    hyperqueue) if command -v hq >/dev/null; then by_engine "$1" hyperqueue.sh by_hq hyperqueue.sh
      elif has_module hyperqueue; then by_engine "$1" hyperqueue.sh by_hq_in_python hyperqueue.sh
      else skip "$1" "there is neither hq nor Python's hyperqueue"; fi ;;
    snakemake) command -v snakemake >/dev/null || { skip "$1" "there is no snakemake"; return; }
      by_engine "$1" Snakefile snakemake --cores "$(nproc)" ;;
    nextflow) command -v nextflow >/dev/null || { skip "$1" "there is no nextflow"; return; }
      by_engine "$1" main.nf nextflow run main.nf ;;
    kubernetes) has_module yaml || { skip "$1" "there is no Python's yaml"; return; }
      by_engine "$1" job.yaml python3 "$here/kubernetes_by_hand.py" job.yaml
      if has_module kubernetes_validate; then
        kubernetes-validate "$work/job.yaml" >"$work/schema.log" 2>&1 ||
          fail "the schema of kubernetes: $(cat "$work/schema.log")"
        say "kubernetes: $(tail -n 1 "$work/schema.log")"
      else skip "the schema of kubernetes" "there is no kubernetes-validate"; fi ;;
  esac
}

skipped=()
case_begin "$folder" "$program"
say "$("$program" --version), $(nproc) cores"
case_one
for engine in "${engines[@]}"; do try_one "$engine"; done
say "done: ${engines[*]}${skipped[*]:+; skipped: ${skipped[*]}}"
