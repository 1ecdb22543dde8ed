// SPDX-License-Identifier: Apache-2.0
// What of a run a process does: all of it, which is what an empty one says; the records of one shard, without
// tables; some records; or tables and figures of what shards have computed.
#pragma once

#include "log/log_entry.hpp"
#include "shards/shard_state.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <vector>

namespace depthlens {

// A shard of the run in the folder `root`; the process works in the folder of its own there.
struct shard_part {
  std::uint64_t number = 0, of = 0;
  std::filesystem::path root;
  bool* taken = nullptr;  // where not null: set once the process has had that folder
};

struct merged_part {
  shard_plan plan;
  std::vector<shard_state> shards;  // that are done, in order
};

struct run_part {
  std::optional<shard_part> shard;
  const merged_part* merged = nullptr;
  // Only these records, and how many they are.
  std::function<bool(std::size_t study, const record_key&)> sample = {};
  std::uint64_t sampled = 0;
};

}  // namespace depthlens
