// SPDX-License-Identifier: Apache-2.0
#include "run/run_backend.hpp"

#include "depthlens/model/end_tokens.hpp"
#include "model/model_size.hpp"
#include "results/run_device.hpp"
#include "terminal/log.hpp"

#include <utility>

namespace depthlens {

namespace {

// Of the memory, where two models share it.
work_rules half_of(work_rules rules) {
  for (memory_budget* budget : {&rules.memory, &rules.device_memory}) {
    budget->bytes /= 2;
    budget->share /= 2;
    if (!budget->said.empty()) budget->said = "half of " + budget->said;
  }
  return rules;
}

}  // namespace

run_backend::run_backend(registry::backend chosen, run_inputs& inputs, held_run& run)
    : inputs_(inputs), run_(run), backend_(std::move(chosen)) {}

running_model& run_backend::model() {
  if (running_) return *running_;
  const bool is_one_of_two = inputs_.request.null.kind == null_kind::untrained;
  auto loaded = std::make_unique<running_model>(
      inputs_.model, backend_, is_one_of_two ? half_of(inputs_.request.work) : inputs_.request.work,
      inputs_.lenses.matrix_bytes());
  take_model(*loaded, inputs_.request.allow_mixed_devices ? mixed_devices::allowed : mixed_devices::refused,
             run_.folder().root(), run_.fields());
  running_ = std::move(loaded);
  // What its first record is computed on is known before that is in the log.
  if (run_.begun()) run_.save("running");
  return *running_;
}

running_model& run_backend::with_lenses() {
  running_model& on = model();
  while (on.lenses().size() < inputs_.lenses.files()) {
    const std::size_t next = on.lenses().size();
    on.add_lens(inputs_.lenses.file(next));
    inputs_.lenses.release(next);
  }
  return on;
}

evaluator run_backend::evaluator_of(const std::vector<std::size_t>& lenses) {
  running_model& on = with_lenses();
  std::vector<active_lens> active;
  for (const std::size_t l : lenses) active.push_back(on.lenses()[l]);
  reading_options options = reading();
  options.choices = choices_of(inputs_.context.experts);
  options.output = on.output();
  return evaluator(on.c(), std::move(active), on.rules(), options);
}

text_generator run_backend::generator_of(const std::vector<std::size_t>& lenses) {
  running_model& on = with_lenses();
  std::vector<active_lens> active;
  for (const std::size_t l : lenses) active.push_back(on.lenses()[l]);
  return text_generator(
      on.c(), std::move(active), on.output(), on.rules(), evaluator_of(lenses),
      {.tokens = end_tokens(*inputs_.model.files), .max_positions = inputs_.context.max_positions});
}

running_model& run_backend::untrained() {
  if (untrained_) return *untrained_;
  log_info("--null untrained: the same with random weights");
  untrained_files_ = std::make_unique<opened_model>(
      inputs_.model.untrained(inputs_.request.null.seed, run_.folder().root()));
  untrained_ = std::make_unique<running_model>(*untrained_files_, backend_, half_of(inputs_.request.work));
  untrained_->check();
  untrained_->add_lens(lens_file(lens_spec{}, inputs_.context.n_layers, inputs_.context.d_model));
  return *untrained_;
}

// Of an untrained model only the logit lens is read.
evaluator run_backend::control_of(const std::vector<std::size_t>& lenses) {
  if (inputs_.request.null.kind != null_kind::untrained) return evaluator_of(lenses);
  running_model& on = untrained();
  reading_options options = reading();
  options.output = on.output();
  return evaluator(on.c(), std::vector<active_lens>(lenses.size(), on.lenses()[0]), on.rules(), options);
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
