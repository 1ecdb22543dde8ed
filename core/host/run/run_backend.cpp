// SPDX-License-Identifier: Apache-2.0
#include "run/run_backend.hpp"

#include "model/model_size.hpp"
#include "results/run_device.hpp"

#include <utility>

namespace depthlens {

run_backend::run_backend(registry::backend chosen, run_inputs& inputs, held_run& run)
    : inputs_(inputs), run_(run), backend_(std::move(chosen)) {}

running_model& run_backend::model() {
  if (running_) return *running_;
  auto loaded = std::make_unique<running_model>(inputs_.model, backend_, inputs_.request.work,
                                                inputs_.lenses.matrix_bytes());
  take_model(*loaded, inputs_.request.allow_mixed_devices ? mixed_devices::allowed : mixed_devices::refused,
             run_.folder().root(), run_.fields());
  running_ = std::move(loaded);
  // What its first record is computed on is known before that is in the log.
  if (run_.begun()) run_.save("running");
  return *running_;
}

evaluator run_backend::evaluator_of(const std::vector<std::size_t>& lenses) {
  running_model& on = model();
  while (on.lenses().size() < inputs_.lenses.size()) {
    const std::size_t next = on.lenses().size();
    on.add_lens(inputs_.lenses.file(next));
    inputs_.lenses.release(next);
  }
  std::vector<active_lens> active;
  for (const std::size_t l : lenses) active.push_back(on.lenses()[l]);
  reading_options options = reading();
  options.choices = choices_of(inputs_.context.experts);
  options.output = on.output();
  return evaluator(on.c(), std::move(active), on.rules(), options);
}

evaluator run_backend::evaluator_of_states() {
  return evaluator(model().c(), {}, model().rules(), reading());
}

reading_options run_backend::reading() const {
  const architecture& a = inputs_.model.files->arch();
  return {.row_weight = row_weight(*inputs_.model.files),
          .n_states = a.n_layers + std::size_t{1},
          .d_model = a.d_model};
}

}  // namespace depthlens
