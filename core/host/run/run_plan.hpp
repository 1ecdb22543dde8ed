// SPDX-License-Identifier: Apache-2.0
// How a run will use memory, before its model is loaded: the same for a dry run, a run, and one that goes on.
#pragma once

#include "model/backend_advice.hpp"
#include "model/memory_plan.hpp"
#include "run/run_inputs.hpp"

#include <optional>

namespace depthlens {

// What the backend says that the model takes, and how that is brought into the budget.
struct run_plan {
  memory_plan memory;
  backend_advice advice;
};

// Nothing where the backend does not say it before it has the model. Throws what needs_of and require_use
// throw.
std::optional<run_plan> plan_run(const run_inputs& inputs, const dlens_backend* backend);

// Throws where the budget does not do for a run that begins, before anything is hashed or written for it.
void refuse_what_does_not_fit(const run_inputs& inputs, const dlens_backend* backend);

}  // namespace depthlens
