// SPDX-License-Identifier: Apache-2.0
// The mean states of --null mean: computed once for a run and kept beside its run.json, as its key names
// them.
#pragma once

#include "run/held_run.hpp"
#include "run/run_backend.hpp"
#include "run/run_inputs.hpp"

#include <filesystem>
#include <optional>
#include <string>

namespace depthlens {

struct null_means {
  mean_states states;
  bool made = false;  // by this command
};

// A run that has its mean states keeps them. Those of a file that is not what the run wrote are computed
// again, and must be the same: otherwise status::data. Nothing where a stop was asked for first. [main]
std::optional<null_means> take_null_means(const run_inputs& inputs, held_run& run, run_backend& backend);

// The mean states that another run or shard of `about` began with become those of the folder `to`, unless it
// has some. Returns what the key of that run names them by; nothing where it has none.
std::optional<std::string> copy_null_means(const manifest& about, const std::filesystem::path& from,
                                           const std::filesystem::path& to);

}  // namespace depthlens
