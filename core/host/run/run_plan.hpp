// SPDX-License-Identifier: Apache-2.0
// How a run will use memory, before its model is loaded: the same for a dry run, a run, and one that goes on.
#pragma once

#include "model/memory_plan.hpp"
#include "run/run_inputs.hpp"

#include <optional>

namespace depthlens {

// See plan_model().
std::optional<model_plan> plan_run(const run_inputs& inputs, const dlens_backend* backend);

// Throws where the memory budget does not do for a run that begins, before anything is hashed or written for
// it.
void refuse_over_budget(const run_inputs& inputs, const dlens_backend* backend);

}  // namespace depthlens
