// SPDX-License-Identifier: Apache-2.0
// The logs of shards as one.
#pragma once

#include "shards/shard_plan.hpp"

#include <cstdint>
#include <filesystem>
#include <vector>

namespace depthlens {

struct shard_log {
  std::uint64_t shard;
  std::filesystem::path file;  // one that is not there holds nothing
};

// Appends what the shards' logs hold to the log `whole`, which is made where it is not there, but for what it
// holds already. Warns where a log is damaged. Stopped at any time, it can be done again. Errors: io;
// status::data, where a record is not of the shard whose log it is in.
void merge_logs(const std::filesystem::path& whole, const std::vector<shard_log>& parts,
                const shard_plan& plan);

}  // namespace depthlens
