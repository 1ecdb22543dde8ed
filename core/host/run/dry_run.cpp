// SPDX-License-Identifier: Apache-2.0
#include "run/dry_run.hpp"

#include "model/backend_advice.hpp"
#include "model/model_rules.hpp"
#include "model/model_size.hpp"
#include "process/plugin_call.hpp"
#include "process/stop_signal.hpp"
#include "results/manifest.hpp"
#include "results/run_device.hpp"
#include "run/listed_outputs.hpp"
#include "run/run_plan.hpp"

#include <iomanip>
#include <iostream>
#include <optional>
#include <string>
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

study_runner make_counter(run_inputs& inputs, const work_rules& wishes, const backend_advice& advice) {
  std::vector<running_study> studies;
  for (const auto& s : inputs.sessions) studies.push_back({s.get(), {}});
  std::vector<running_lens> lenses = inputs.running_lenses();
  read_cost cost{.row_weight = row_weight(*inputs.model.files)};
  for (const running_lens& l : lenses) cost.layers += l.layers.size();
  return study_runner(std::move(studies), std::move(lenses), {},
                      {.window = wishes.window, .only_count = combine(wishes, advice, cost)});
}

void print_line(const char* name, const std::string& text) {
  std::cout << std::left << std::setw(19) << name << text << '\n';
}

// Floating-point operations of the products of blocks and unembedding; attention is a few percent more.
double product_flops(const run_inputs& inputs, const evaluation_counts& counts) {
  double layers = 1;  // the model's own output
  for (const running_lens& l : inputs.running_lenses()) layers += static_cast<double>(l.layers.size());
  return 2 * (static_cast<double>(counts.tokens_computed) * block_parameters(*inputs.model.files) +
              static_cast<double>(counts.positions_read) * layers * unembed_parameters(*inputs.model.files));
}

void print_counts(const run_inputs& inputs, const evaluation_counts& c) {
  print_line("records", cat(inputs.records_wanted()));
  print_line("positions read", cat(c.positions_read));
  print_line("tokens given", cat(c.tokens_given));
  print_line("distinct prefixes", cat(c.distinct_prefixes));
  print_line("tokens to compute", cat(c.tokens_computed));
  constexpr double giga = 1e9;
  print_line("products", cat(std::fixed, std::setprecision(0), product_flops(inputs, c) / giga,
                             " GFLOP; depthlens bench tells how many a second this machine does"));
}

void print_memory(const memory_plan& plan, const evaluation_counts& counts, std::uint64_t kept_token_bytes) {
  const std::uint64_t kept = counts.most_kept_tokens * kept_token_bytes;
  const std::string form =
      plan.streamed ? cat(" at a time of ", memory_words(plan.all_weights), ", streamed; held from ",
                          plan.option(), " ", (plan.least_held >> 20) + 1, "M")
                    : ", held";
  print_line("weights", memory_words(plan.weights) + form);
  print_line("kept prefixes", kept > 0 ? "at most " + memory_words(kept) : "none");
  if (plan.streamed) {
    print_line("states", cat(memory_words(counts.most_wave_bytes), " in the largest wave; there is room for ",
                             memory_words(plan.wave)));
    print_line("waves", cat(counts.waves, ", each reading the model's file once"));
  }
  print_line(plan.on_device ? "lenses, scratch" : "program, scratch",
             "at most " + memory_words(plan.program + plan.calls));
  const std::uint64_t all = plan.weights + kept + counts.most_wave_bytes + plan.program + plan.calls;
  print_line(plan.on_device ? "device memory" : "memory",
             cat("at most ", memory_words(all), " of ", memory_words(plan.budget.bytes), " (",
                 plan.budget.source, ")"));
}

}  // namespace

int dry_run(run_inputs& inputs, registry& plugins) {
  const manifest earlier =
      inputs.request.fresh ? manifest{} : manifest::read(inputs.request.out / "run.json");
  const registry::backend backend =
      plugins.choose_backend(backend_word(earlier.fields, inputs.request.work.backend));
  name_backend(backend.about.word);
  const auto plan = plan_run(inputs, backend.table);
  require_use(inputs.request.work, plan ? &plan->needs : nullptr);
  if (plan) require_fit(plan->memory);
  const auto told = told_before(earlier.fields, backend.about.word, inputs.request.work.precision);
  const backend_advice advice = plan   ? advice_of(plan->needs, plan->memory.streamed)
                                : told ? *told
                                       : assumed_advice(*inputs.model.files);
  check_file_names(inputs.sessions, inputs.context);
  work_rules wishes = plan ? with_plan(inputs.request.work, plan->memory) : inputs.request.work;
  fit_to(inputs.model.files->arch(), wishes);
  study_runner counter = make_counter(inputs, wishes, advice);
  counter.run(stop_asked());
  print_counts(inputs, counter.counts());
  if (plan) print_memory(plan->memory, counter.counts(), advice.kept_token_bytes);
  std::cout << "Rounds after the first (white space asked again, --seed-compat) are not counted.\n";
  if (!plan && !told)
    std::cout << "Packs and kept prefixes are as on a processor in f32: no run in --out says what backend "
              << backend.about.word << " advises.\n";
  return 0;
}

}  // namespace depthlens
