#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A depthlens run by GNU parallel, here or on hosts reached by ssh: @SHARDS@ shards of @THREADS@ threads each.
#   run      bash parallel.sh [HOSTS]    HOSTS: a file as --sshloginfile takes it, a host a line, ":" is this
#            one; all must see this file, the program, model and data at the same paths
#   watch    @PROGRAM@ status @OUT@
#   again    the same command: only shards that are neither done nor running are computed
#   merge    @PROGRAM@ merge @OUT@
# Each host computes as many shards at once as its cores and free memory hold; DEPTHLENS_JOBS=N sets another
# number. A shard that ends with an error or is stopped is tried three times, on another host if there is one.
set -euo pipefail

if [[ "${1:-}" == --shard ]]; then # one shard, as parallel asks for it
  cd -- @FOLDER@
  exec @COMMAND@ --shard "$2/@SHARDS@"
fi

script=$(realpath -- "${BASH_SOURCE[0]}")
if [[ "$script" == *\{*\}* ]]; then # GNU parallel would put the shard's number there
  printf '%s: GNU parallel takes braces in a path for its own; move this file to a path without them\n' "$script" >&2
  exit 64
fi

# "3,7-9" as a number a line.
left=$(@PROGRAM@ status @OUT@ --left | tr , '\n' |
  awk -F- '/./ { for (i = $1; i <= (NF > 1 ? $2 : $1); ++i) print i }')
if [[ -z "$left" ]]; then
  echo "nothing is left to do: all shards are done or running" >&2
  exit 0
fi

threads=@THREADS@
percent=$((threads < 100 ? 100 / threads : 1))
hosts=()
if (($# > 0)); then hosts=(--sshloginfile "$1"); fi
exec parallel "${hosts[@]}" --jobs "${DEPTHLENS_JOBS:-$percent%}" --memfree "@MEMORY@M" \
  --retries 3 --termseq TERM,15000,KILL,1000 --line-buffer --tag \
  --joblog "@NAME@-$(date -u +%Y%m%dT%H%M%SZ).joblog" \
  --quote bash "$script" --shard {} <<<"$left"
