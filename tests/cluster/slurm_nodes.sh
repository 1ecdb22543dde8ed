# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# A whole Slurm cluster on this machine, to be sourced: munged, slurmctld and the slurmd of two nodes, one and
# two, as root, without systemd, with keys, ports, logs and state of its own in one folder. A Slurm that the
# machine has is not touched.
#   slurm_start FOLDER    starts it and points the commands of this shell at it (SLURM_CONF)
#   slurm_stop            ends it, with all that its jobs left; says nothing where nothing was started
#   slurm_lose NODE       kills the node's slurmd, its steps and what they run, at once, as a power cut would;
#                         sets slurm_lost to how many processes these were
#   slurm_return NODE     starts its slurmd again
# SLURM_NODE_CPUS=N gives each node so many cores (default 1), whatever the machine has.

slurm_folder=
slurm_daemons=()
slurm_lost=0

slurm_missing() {
  local tool
  for tool in munged slurmctld slurmd sbatch srun scancel scontrol squeue sinfo setpriv; do
    command -v "$tool" >/dev/null || printf '%s ' "$tool"
  done
}

# A port that nothing listens on.
slurm_free_port() {
  local port
  while :; do
    port=$((20000 + RANDOM % 20000))
    (: >"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
  done
  printf '%s\n' "$port"
}

slurm_configure() {
  local host memory node nodes=
  host=$(hostname -s)
  memory=$(awk '/^MemTotal:/ { print int($2 / 1024 / 2) }' /proc/meminfo)
  for node in one two; do
    nodes+="NodeName=$node NodeHostname=$host NodeAddr=127.0.0.1 Port=$(slurm_free_port)"
    nodes+=" CPUs=${SLURM_NODE_CPUS:-1} RealMemory=$memory"$'\n'
  done
  cat >"$slurm_folder/slurm.conf" <<TEXT
ClusterName=depthlens
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$(slurm_free_port)
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$slurm_folder/munge/socket
CredType=cred/munge
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
ReturnToService=2
SlurmdTimeout=20
KillWait=15
SlurmdParameters=config_overrides
StateSaveLocation=$slurm_folder/state
SlurmdSpoolDir=$slurm_folder/spool-%n
SlurmctldPidFile=$slurm_folder/slurmctld.pid
SlurmdPidFile=$slurm_folder/slurmd-%n.pid
SlurmctldLogFile=$slurm_folder/slurmctld.log
SlurmdLogFile=$slurm_folder/slurmd-%n.log
${nodes}PartitionName=all Nodes=one,two Default=YES State=UP DefaultTime=5
TEXT
}

# Waits until a command succeeds, for so many seconds.
slurm_until() {
  local seconds=$1 what=$2 end
  shift 2
  end=$((SECONDS + seconds))
  until "$@" >/dev/null 2>&1; do
    ((SECONDS < end)) || { echo "slurm: $what: not after $seconds s; see $slurm_folder" >&2; return 1; }
    sleep 0.2
  done
}

slurm_munge() {
  local own=$slurm_folder/munge
  mkdir -m 755 -- "$own"
  head -c 1024 /dev/urandom >"$own/key"
  chmod 400 "$own/key"
  chown -R munge: "$own"
  setpriv --reuid=munge --regid=munge --clear-groups -- munged --foreground --num-threads=2 \
    --key-file="$own/key" --socket="$own/socket" --pid-file="$own/pid" --seed-file="$own/seed" \
    --log-file="$own/log" >>"$slurm_folder/munged.out" 2>&1 &
  slurm_daemons+=("$!")
  slurm_until 10 "munged is there" test -S "$own/socket"
}

slurm_is_up() { [[ "$(sinfo --noheader --nodes="$1" --format=%t)" =~ ^(idle|mix|alloc|comp)$ ]]; }

slurm_return() {
  slurmd -D -N "$1" -f "$SLURM_CONF" >>"$slurm_folder/slurmd-$1.out" 2>&1 &
  slurm_daemons+=("$!")
  slurm_until 60 "node $1 is up" slurm_is_up "$1"
}

slurm_start() {
  slurm_folder=$(realpath -- "$1")/slurm
  mkdir -p -- "$slurm_folder/state" "$slurm_folder/spool-one" "$slurm_folder/spool-two"
  export SLURM_CONF=$slurm_folder/slurm.conf
  slurm_configure
  slurm_munge || return
  slurmctld -D -i -f "$SLURM_CONF" >>"$slurm_folder/slurmctld.out" 2>&1 &
  slurm_daemons+=("$!")
  slurm_until 20 "slurmctld answers" scontrol ping || return
  slurm_return one && slurm_return two
}

# The number of a process and of all that stem from it, the last-born first.
slurm_family() {
  local child
  for child in $(pgrep --parent "$1"); do slurm_family "$child"; done
  printf '%s\n' "$1"
}

# Steps are no children of slurmd; they hold its node's log open.
slurm_steps() {
  local process file
  for process in $(pgrep --exact slurmstepd); do
    for file in "/proc/$process/fd"/*; do
      if [[ "$(readlink "$file")" == "$slurm_folder/slurmd-$1.log" ]]; then
        slurm_family "$process"
        break
      fi
    done
  done
}

slurm_kill() { (($# == 0)) || kill -KILL "$@" 2>/dev/null || true; }

slurm_lose() {
  local daemon steps
  daemon=$(cat -- "$slurm_folder/slurmd-$1.pid")
  steps=$(slurm_steps "$1")
  # shellcheck disable=SC2086  # numbers, one a word
  slurm_kill "$daemon" $steps
  wait "$daemon" 2>/dev/null || true
  # shellcheck disable=SC2034  # for who asks
  slurm_lost=$(wc -w <<<"$daemon $steps")
}

slurm_stop() {
  [[ -n "$slurm_folder" ]] || return 0
  # shellcheck disable=SC2046
  slurm_kill $(slurm_steps one) $(slurm_steps two)
  kill -TERM "${slurm_daemons[@]}" 2>/dev/null || true
  for _ in {1..50}; do
    kill -0 "${slurm_daemons[@]}" 2>/dev/null || break
    sleep 0.1
  done
  kill -KILL "${slurm_daemons[@]}" 2>/dev/null || true
  wait "${slurm_daemons[@]}" 2>/dev/null || true
  slurm_folder=
  slurm_daemons=()
}
