#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A depthlens run as a HyperQueue task array: @SHARDS@ shards, a task each.
#   workers  hq server start &
#            hq alloc add slurm --time-limit 4h --worker-time-limit 3h50m -- --partition=NAME
#   submit   hq submit hyperqueue.sh     (the name must end with .sh: hq then reads the lines below)
#   watch    hq job list; @PROGRAM@ status @OUT@
#   again    hq submit --array="$(@PROGRAM@ status @OUT@ --left)" hyperqueue.sh
#   merge    @PROGRAM@ merge @OUT@
# Tasks of a worker that ends are given to another one by HyperQueue, and go on where they were.
#HQ --name=@NAME@
#HQ --array=1-@SHARDS@
#HQ --cpus=@THREADS@
#HQ --resource mem=@MEMORY@
#HQ --time-request=@MINUTES@m
#HQ --cwd=@FOLDER@
set -u

# The end of the worker, not that of the job the worker is in, ends a task: only then is it given to another.
unset SLURM_JOB_END_TIME
exec @COMMAND@ --shard auto
