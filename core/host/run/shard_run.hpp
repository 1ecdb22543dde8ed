// SPDX-License-Identifier: Apache-2.0
// A run that several processes do: one shard of it each, and in the end one of them puts these together.
#pragma once

#include "plugins/registry.hpp"
#include "run/run_request.hpp"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace depthlens {

// run --shard: the records of request.shard, in a folder of their own within request.out. The first process
// writes the plan there. Returns the exit code; throws what execute_run and agree_on_plan throw, and
// status::no_input where --shard auto finds no plan. [main]
int execute_shard(run_request request, registry& plugins);

// A command that goes on in `folder` as one process has to put the shards there together first:
// status::config.
void refuse_unmerged(const std::filesystem::path& folder);

// A folder of which a shard is running, or may be, is not moved aside: status::config.
void refuse_running_shards(const std::filesystem::path& folder);

// The folder of a shard, which lies in that of the run, is not one to run, verify or draw by itself:
// status::config, naming the run's.
void refuse_folder_of_shard(const std::filesystem::path& folder);

// A folder in which one process has a run, which its shards would hide: status::config.
void refuse_run_without_plan(const std::filesystem::path& folder);

struct merge_request {
  std::vector<std::filesystem::path> folders;  // with shards of one plan; request.out of run is the first
  bool partial = false;                        // make tables of the shards that are there
};

// Tables, figures and run.json of a run whose shards are done, in request.out. Throws status::no_input with a
// list, where some are missing or not done and partial is not asked for; config, where they are of other
// configurations, or one is there twice. [main]
int execute_merge(run_request request, const merge_request& merge, registry& plugins);

}  // namespace depthlens
