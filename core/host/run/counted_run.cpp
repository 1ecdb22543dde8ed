// SPDX-License-Identifier: Apache-2.0
#include "run/counted_run.hpp"

#include "model/model_rules.hpp"
#include "model/model_size.hpp"
#include "process/plugin_call.hpp"
#include "process/stop_signal.hpp"
#include "results/manifest.hpp"
#include "results/run_device.hpp"
#include "run/listed_outputs.hpp"
#include "run/run_plan.hpp"

#include <utility>

namespace depthlens {
namespace {

// What the backend told an earlier command of this run.
std::optional<backend_advice> told_before(const boost::json::object& run, const std::string& backend,
                                          const std::string& precision) {
  const auto* key = object_at(&run, "key");
  const auto* about = object_at(&run, "backend");
  if (about == nullptr || text_at(key, "backend") != backend || text_at(key, "precision") != precision)
    return std::nullopt;
  return advice_in(*about);
}

// Without controls: those of mean states are not known before.
std::vector<running_lens> counted_lenses(const run_inputs& inputs) {
  std::vector<running_lens> out;
  for (std::size_t l = 0; l < inputs.lenses.size(); ++l)
    if (!inputs.lenses.is_null(l))
      out.push_back({.label = inputs.context.lens_labels[l], .layers = inputs.lenses.layers(l)});
  return out;
}

study_runner make_counter(run_inputs& inputs, const work_rules& wishes, const backend_advice& advice,
                          const std::function<bool(std::size_t, const record_key&)>& wanted = {}) {
  std::vector<running_study> studies;
  for (const auto& s : inputs.sessions) studies.push_back({s.get(), {}});
  std::vector<running_lens> lenses = counted_lenses(inputs);
  read_cost cost{.row_weight = row_weight(*inputs.model.files)};
  for (const running_lens& l : lenses) cost.layers += l.layers.size();
  return study_runner(std::move(studies), std::move(lenses), {},
                      {.window = wishes.window,
                       .only_count = combine(wishes, advice, cost),
                       .shuffle = inputs.shuffle(),
                       .wanted = wanted,
                       .records_wanted = inputs.records_wanted()});
}

counted_states states_of(const study_runner& counter) {
  return {.places = counter.states_counted(), .more = counter.reads_what_is_said()};
}

}  // namespace

counted_states count_states(run_inputs& inputs,
                            const std::function<bool(std::size_t study, const record_key&)>& wanted) {
  study_runner counter =
      make_counter(inputs, inputs.request.work, assumed_advice(*inputs.model.files), wanted);
  counter.run(stop_asked());
  return states_of(counter);
}

double product_flops(const run_inputs& inputs, const evaluation_counts& counts) {
  double layers = 1;  // the model's own output
  for (const running_lens& l : counted_lenses(inputs)) layers += static_cast<double>(l.layers.size());
  return 2 * (static_cast<double>(counts.tokens_computed) * block_parameters(*inputs.model.files) +
              static_cast<double>(counts.positions_read) * layers * unembed_parameters(*inputs.model.files));
}

std::uint64_t memory_of(const memory_plan& plan, const evaluation_counts& counts,
                        std::uint64_t kept_token_bytes) {
  return plan.weights + counts.most_kept_tokens * kept_token_bytes + counts.most_wave_bytes + plan.program +
         plan.calls;
}

counted_run count_run(run_inputs& inputs, registry& plugins) {
  const manifest earlier =
      inputs.request.fresh ? manifest{} : manifest::read(inputs.request.out / "run.json");
  const registry::backend backend =
      plugins.choose_backend(backend_word(earlier.fields, inputs.request.work.backend));
  name_backend(backend.about.word);
  counted_run out{.backend = backend.about.word, .plan = plan_run(inputs, backend.table)};
  require_use(inputs.request.work, out.plan ? &out.plan->needs : nullptr);
  if (out.plan) require_fit(out.plan->memory);
  const auto told = told_before(earlier.fields, backend.about.word, inputs.request.work.precision);
  out.advice = out.plan ? advice_of(out.plan->needs, out.plan->memory.streamed)
               : told   ? *told
                        : assumed_advice(*inputs.model.files);
  out.assumed = !out.plan && !told;
  check_file_names(inputs.sessions, inputs.context);
  work_rules wishes = out.plan ? with_plan(inputs.request.work, out.plan->memory) : inputs.request.work;
  fit_to(inputs.model.files->arch(), wishes);
  study_runner counter = make_counter(inputs, wishes, out.advice);
  counter.run(stop_asked());
  out.counts = counter.counts();
  out.states = states_of(counter);
  return out;
}

}  // namespace depthlens
