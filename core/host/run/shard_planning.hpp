// SPDX-License-Identifier: Apache-2.0
// depthlens shard: the plan of a run's shards, and job files that carry it out.
#pragma once

#include "plugins/registry.hpp"
#include "run/run_request.hpp"

#include <cstdint>
#include <string>

namespace depthlens {

struct planning_request {
  std::uint64_t shards = 0;
  std::string engine;  // whose job file is printed; "" = none
};

// Writes the plan into request.out and says what a shard takes. Where a job file is asked for it goes to
// stdout, and what else is said to stderr. Nothing is computed. Returns the exit code. [main]
int plan_shards(run_request request, const planning_request& planning, registry& plugins);

}  // namespace depthlens
