// SPDX-License-Identifier: Apache-2.0
// What commands on the folder of a run that ended begin with.
#pragma once

#include "results/manifest.hpp"

#include <filesystem>

namespace depthlens {

// run.json of a run that is complete, or merged from some of its shards. Anything else is status::no_input:
// no such folder, no run in it, shards that are not merged, a run that did not end.
manifest read_finished_run(const std::filesystem::path& dir);

}  // namespace depthlens
