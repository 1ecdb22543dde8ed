// SPDX-License-Identifier: Apache-2.0
// The mean states of --null mean: computed once for a run and kept beside its run.json, as its key names
// them.
#pragma once

#include "run/held_run.hpp"
#include "run/run_backend.hpp"
#include "run/run_inputs.hpp"

#include <optional>

namespace depthlens {

struct null_means {
  mean_states states;
  bool made = false;  // by this command
};

// A run that has its mean states keeps them. Those of a file that is not what the run wrote are computed
// again, and must be the same: otherwise status::data. Nothing where a stop was asked for first. [main]
std::optional<null_means> take_null_means(const run_inputs& inputs, held_run& run, run_backend& backend);

}  // namespace depthlens
