// SPDX-License-Identifier: Apache-2.0
#include "run/dry_run.hpp"

#include "model/backend_advice.hpp"
#include "model/memory_plan.hpp"
#include "model/model_size.hpp"
#include "model/model_views.hpp"
#include "process/plugin_call.hpp"
#include "process/stop_signal.hpp"
#include "results/manifest.hpp"
#include "results/run_device.hpp"
#include "run/listed_outputs.hpp"

#include <iostream>
#include <optional>
#include <string>
#include <utility>

namespace depthlens {
namespace {

// What the work is planned with: what the backend says that the model takes, before it has it.
struct planned {
  memory_plan memory;
  backend_advice advice;
};

std::optional<planned> plan_of(const run_inputs& inputs, const dlens_backend* backend) {
  const model_views views(*inputs.model.files);
  const auto needs = needs_of(backend, views.c(), inputs.request.work);
  require_use(inputs.request.work, needs);
  if (!needs) return std::nullopt;
  const memory_plan memory =
      plan_memory(inputs.request.work, *needs, memory_in_use(), inputs.lenses.matrix_bytes());
  return planned{memory, advice_of(*needs, memory.streamed)};
}

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

void print_plan(const memory_plan& plan, const evaluation_counts& counts, std::uint64_t kept_token_bytes) {
  const auto line = [](const char* name, const auto&... parts) {
    std::cout << name << cat(parts...) << '\n';
  };
  const std::uint64_t kept = counts.most_kept_tokens * kept_token_bytes;
  line("weights            ", memory_words(plan.weights),
       plan.streamed ? cat(" at a time of ", memory_words(plan.all_weights), ", streamed") : ", held");
  line("kept prefixes      at most ", memory_words(kept));
  if (plan.streamed) {
    line("states             at most ", memory_words(plan.wave), " for a wave");
    line("waves              ", counts.waves, ", each reading the model's file once");
  }
  line(plan.on_device ? "lenses, scratch    " : "program, scratch   ",
       memory_words(plan.program + plan.calls));
  const std::uint64_t all = plan.weights + kept + plan.wave + plan.program + plan.calls;
  line(plan.on_device ? "device memory      at most " : "memory             at most ", memory_words(all),
       " of ", memory_words(plan.budget), " (", plan.source, ")");
}

}  // namespace

int dry_run(run_inputs& inputs, registry& plugins) {
  const manifest earlier =
      inputs.request.fresh ? manifest{} : manifest::read(inputs.request.out / "run.json");
  const registry::backend backend =
      plugins.choose_backend(backend_word(earlier.fields, inputs.request.work.backend));
  name_backend(backend.about.word);
  const auto plan = plan_of(inputs, backend.table);
  if (plan) require_fit(plan->memory);
  const auto told = told_before(earlier.fields, backend.about.word, inputs.request.work.precision);
  const backend_advice advice = plan ? plan->advice : told ? *told : assumed_advice(*inputs.model.files);
  check_file_names(inputs.sessions, inputs.context);
  const work_rules wishes = plan ? with_plan(inputs.request.work, plan->memory) : inputs.request.work;
  study_runner counter = make_counter(inputs, wishes, advice);
  counter.run(stop_asked());
  const evaluation_counts& c = counter.counts();
  std::cout << "records            " << inputs.records_wanted() << "\npositions read     " << c.positions_read
            << "\ntokens given       " << c.tokens_given << "\ndistinct prefixes  " << c.distinct_prefixes
            << "\ntokens to compute  " << c.tokens_computed << '\n';
  if (plan) print_plan(plan->memory, c, advice.kept_token_bytes);
  std::cout << "Rounds after the first (white space asked again, --seed-compat) are not counted.\n";
  if (!plan && !told)
    std::cout << "Packs and kept prefixes are as on a processor in f32: no run in --out says what backend "
              << backend.about.word << " advises.\n";
  return 0;
}

}  // namespace depthlens
