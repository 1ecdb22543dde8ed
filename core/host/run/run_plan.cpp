// SPDX-License-Identifier: Apache-2.0
#include "run/run_plan.hpp"

#include "model/model_views.hpp"

namespace depthlens {

std::optional<model_plan> plan_run(const run_inputs& inputs, const dlens_backend* backend) {
  const model_views views(*inputs.model.files);
  return plan_model(backend, views.c(), inputs.request.work, inputs.lenses.matrix_bytes());
}

// Silent where it does: the running model warns of what there is to warn of.
void refuse_over_budget(const run_inputs& inputs, const dlens_backend* backend) {
  const auto plan = plan_run(inputs, backend);
  if (!plan || plan->memory.fits()) return;
  require_use(inputs.request.work, &plan->needs);
  require_fit(plan->memory);
}

}  // namespace depthlens
