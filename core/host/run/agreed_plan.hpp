// SPDX-License-Identifier: Apache-2.0
// The plan of a run's shards (shards/shard_plan.hpp), made by whoever comes first and kept by all others.
#pragma once

#include "run/run_inputs.hpp"
#include "shards/shard_plan.hpp"

#include <cstdint>
#include <filesystem>
#include <string>

namespace depthlens {

// The plan in `root`, which is made and put there where none is. Throws status::config, naming the fields,
// where the one that is there is of another number of shards, configuration or --limit; stopped, where a stop
// was asked for. [main]
shard_plan agree_on_plan(const run_inputs& inputs, const std::string& backend,
                         const std::filesystem::path& root, std::uint64_t of);

// The same, but a plan of fewer records of the same configuration becomes one of this --limit: records stay
// in their shards.
shard_plan plan_again(const run_inputs& inputs, const std::string& backend, const std::filesystem::path& root,
                      std::uint64_t of);

// The backend that the plan in `root` names where `asked` is "auto".
std::string backend_of_plan(const std::filesystem::path& root, const std::string& asked);

// What differs between two plans, but for the command: "limit: 100 -> 200; studies.pos: is missing".
std::string differences(const shard_plan& there, const shard_plan& mine);

}  // namespace depthlens
