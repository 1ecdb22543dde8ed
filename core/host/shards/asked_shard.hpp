// SPDX-License-Identifier: Apache-2.0
// --shard: which part of a run a process computes. Shards are numbered 1..N.
#pragma once

#include <cstdint>
#include <string>

namespace depthlens {

inline constexpr std::uint64_t most_shards = 100'000;

struct asked_shard {
  std::uint64_t number = 0;  // 0 = the last one
  std::uint64_t of = 0;      // N; 0 = as the plan in the output folder says
};

// "I/N", or "auto": then the number is the task's id, of HyperQueue (HQ_TASK_ID), a Kubernetes indexed job
// (JOB_COMPLETION_INDEX) or a Slurm array (SLURM_ARRAY_TASK_ID), whichever is set, in this order: workers of
// the first may be tasks of the others. Arrays of 0..N-1 and of 1..N both name every shard once: 0 is the
// last one. Otherwise status::usage.
asked_shard parse_shard(const std::string& text);

// I/N alone.
asked_shard parse_numbered_shard(const std::string& text);

}  // namespace depthlens
