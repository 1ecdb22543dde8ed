// SPDX-License-Identifier: Apache-2.0
// Small data files that experiments are tried on.
#pragma once

#include "depthlens/abi/experiment.h"
#include "engine/study_session.hpp"

#include <filesystem>
#include <vector>

namespace depthlens {

// A data set for each input of the experiment, in the first of its kinds that there is a file for, which is
// written to the folder. empty: files without a record. Throws where an input takes none of the kinds.
std::vector<dataset_plan> trial_data(const dlens_experiment& experiment, const std::filesystem::path& folder,
                                     bool empty);

}  // namespace depthlens
