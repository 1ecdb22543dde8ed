// SPDX-License-Identifier: Apache-2.0
#include "run/run_plan.hpp"

#include "model/model_views.hpp"

namespace depthlens {
namespace {

memory_plan memory_of(const run_inputs& inputs, const dlens_model_needs& needs) {
  const work_rules& rules = inputs.request.work;
  return plan_memory(rules, needs, program_bytes(rules, inputs.model.files->arch().vocab_size),
                     inputs.lenses.matrix_bytes());
}

}  // namespace

std::optional<run_plan> plan_run(const run_inputs& inputs, const dlens_backend* backend) {
  const model_views views(*inputs.model.files);
  const auto needs = needs_of(backend, views.c(), inputs.request.work);
  require_use(inputs.request.work, needs);
  if (!needs) return std::nullopt;
  const memory_plan memory = memory_of(inputs, *needs);
  return run_plan{memory, advice_of(*needs, memory.streamed)};
}

// Silent where it does: the running model warns of what there is to warn of.
void refuse_what_does_not_fit(const run_inputs& inputs, const dlens_backend* backend) {
  const model_views views(*inputs.model.files);
  const auto needs = needs_of(backend, views.c(), inputs.request.work);
  if (!needs) return;
  const memory_plan memory = memory_of(inputs, *needs);
  if (memory.fits()) return;
  require_use(inputs.request.work, needs);
  require_fit(memory);
}

}  // namespace depthlens
