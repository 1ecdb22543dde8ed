#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A depthlens run as a Slurm array: @SHARDS@ shards, a task each.
#   submit   sbatch slurm.sh                        (here as everywhere slurm.sh is the name of this file)
#   watch    @PROGRAM@ status @OUT@
#   again    sbatch --array="$(@PROGRAM@ status @OUT@ --left)" slurm.sh     (unless nothing is left)
#   merge    @PROGRAM@ merge @OUT@
# A task that is warned of its end (time limit, preemption) keeps what is finished, ends with 75 and is put
# back into the queue; it goes on where it was. `scancel` ends a task for good, `scancel --signal=USR1 JOB`
# puts it back; after DEPTHLENS_MOST_RESTARTS (100) restarts it stays out. At most so many at once: --array=...%N.
# Shards are merged only if nodes are of one kind: add a line with --constraint where yours differ. The backend is part of the plan: on nodes that lack it a task ends with 69.
#SBATCH --job-name=@NAME@
#SBATCH --array=1-@SHARDS@
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=@THREADS@
#SBATCH --mem=@MEMORY@M
#SBATCH --time=@MINUTES@
#SBATCH --gres=@GRES@
#SBATCH --signal=USR1@120
# Partition and account, where your cluster asks for them: two more lines like these. Threads are those of
# `depthlens shard --threads N`.
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --chdir=@FOLDER@
#SBATCH --output=@NAME@-%A_%a.log
set -u

task=${SLURM_ARRAY_JOB_ID:?is not set: submit this file with sbatch}_$SLURM_ARRAY_TASK_ID
restarts=${SLURM_RESTART_COUNT:-0}
echo "== $(date -u +%FT%TZ) task $task, start $((restarts + 1)), on $(hostname)"

# As a step, for Slurm warns steps, not this script; and steps do not take over --cpus-per-task by themselves.
status=0
srun --ntasks=1 --cpus-per-task=@THREADS@ \
  @COMMAND@ --shard auto || status=$?

case $status in
  75)
    if ((restarts >= ${DEPTHLENS_MOST_RESTARTS:-100})); then
      echo "== stopped; not put back into the queue again after $restarts restarts (DEPTHLENS_MOST_RESTARTS)"
    else
      echo "== $(date -u +%FT%TZ) stopped; back into the queue"
      scontrol requeue "$task"
    fi
    ;;
  69) echo "== $(hostname) cannot do it (see above): resubmit with --exclude, --constraint or --gres" ;;
esac
exit "$status"
