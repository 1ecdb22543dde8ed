// SPDX-License-Identifier: Apache-2.0
#include "run/dry_run.hpp"

#include "model/backend_advice.hpp"
#include "model/model_size.hpp"
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

// What the backend told an earlier command of this run.
std::optional<backend_advice> told_before(const boost::json::object& run, const std::string& backend,
                                          const std::string& precision) {
  const auto* key = object_at(&run, "key");
  const auto* about = object_at(&run, "backend");
  if (about == nullptr || text_at(key, "backend") != backend || text_at(key, "precision") != precision)
    return std::nullopt;
  return advice_in(*about);
}

study_runner make_counter(run_inputs& inputs, const backend_advice& advice) {
  std::vector<running_study> studies;
  for (const auto& s : inputs.sessions) studies.push_back({s.get(), {}});
  const work_rules& wishes = inputs.request.work;
  std::vector<running_lens> lenses = inputs.running_lenses();
  read_cost cost{.row_weight = row_weight(*inputs.model.files)};
  for (const running_lens& l : lenses) cost.layers += l.layers.size();
  return study_runner(std::move(studies), std::move(lenses), {},
                      {.window = wishes.window, .only_count = combine(wishes, advice, cost)});
}

}  // namespace

int dry_run(run_inputs& inputs, registry& plugins) {
  const work_rules& wishes = inputs.request.work;
  const manifest earlier =
      inputs.request.fresh ? manifest{} : manifest::read(inputs.request.out / "run.json");
  const registry::backend backend = plugins.choose_backend(backend_word(earlier.fields, wishes.backend));
  const auto told = told_before(earlier.fields, backend.about.word, wishes.precision);
  const backend_advice assumed = assumed_advice(*inputs.model.files);
  const backend_advice advice = told.value_or(assumed);
  check_file_names(inputs.sessions, inputs.context);
  study_runner counter = make_counter(inputs, advice);
  counter.run(stop_asked());
  const evaluation_counts& c = counter.counts();
  constexpr std::uint64_t mega = 1000000;
  std::cout << "records            " << inputs.records_wanted() << "\npositions read     " << c.positions_read
            << "\ntokens given       " << c.tokens_given << "\ndistinct prefixes  " << c.distinct_prefixes
            << "\ntokens to compute  " << c.tokens_computed << "\nweights as f32     "
            << assumed.weight_bytes / mega << " MB\nkept prefixes      at most "
            << c.most_kept_tokens * advice.kept_token_bytes / mega << " MB\n"
            << "Rounds after the first (white space asked again, --seed-compat) are not counted.\n";
  if (!told)
    std::cout << "Packs and kept prefixes are as on a processor in f32: no run in --out says what backend "
              << backend.about.word << " advises.\n";
  return 0;
}

}  // namespace depthlens
