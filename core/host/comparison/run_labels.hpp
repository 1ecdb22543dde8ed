// SPDX-License-Identifier: Apache-2.0
// What runs are called in figures and tables that compare them.
#pragma once

#include "comparison/compared_run.hpp"

#include <span>
#include <string>
#include <vector>

namespace depthlens {

// Gives every run its label: of `asked` where there are some, one for each run and no two alike (else
// status::usage); else the shortest that tells them apart: the model's name, and for runs of one model the
// first of precision, file, backend, lenses and folder in which they all differ.
void label_runs(std::span<compared_run> runs, const std::vector<std::string>& asked);

}  // namespace depthlens
