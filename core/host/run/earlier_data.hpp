// SPDX-License-Identifier: Apache-2.0
// A study that is extended keeps the data sets it had: its summaries and figures are about all of them, and a
// smaller --limit takes no rows away.
#pragma once

#include "engine/study_session.hpp"
#include "results/manifest.hpp"

#include <cstdint>
#include <vector>

namespace depthlens {

// Adds the data sets of the run in `earlier` that a study of the command does not name itself. A file that is
// gone or has changed is left out with a warning; its own tables stay as they are.
void add_earlier_data(const manifest& earlier, std::vector<study_plan>& studies);

// Says in a line for each data set of which the run holds more records than `limit`, the --limit of this
// command.
void tell_about_limit(const std::vector<study_plan>& studies, std::uint64_t limit);

}  // namespace depthlens
