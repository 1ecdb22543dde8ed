// SPDX-License-Identifier: Apache-2.0
#include "engine/evaluator.hpp"

#include "depthlens/base/error.hpp"
#include "engine/planned_work.hpp"
#include "engine/wave.hpp"

#include <algorithm>
#include <utility>

namespace depthlens {
namespace {

constexpr std::size_t most_states = 16u
                                    << 20;  // floats of the residual streams that a pack gives back, about

}  // namespace

evaluator::evaluator(const dlens_model* model, std::vector<active_lens> lenses, const work_rules& rules,
                     const reading_options& options)
    : model_(model), lenses_(std::move(lenses)), options_(options), check_weights_(rules.check_weights) {
  read_cost cost{.row_weight = options.row_weight};
  for (const active_lens& l : lenses_) cost.layers += l.n_layers;
  rules_ = combine(rules, advice_of(model), cost);
}

evaluation_counts evaluator::run(std::span<const std::vector<std::int32_t>> sequences,
                                 std::span<const read_request> requests, const on_result& done,
                                 const on_stage& at_stage) const {
  call_options options{.lenses = lenses_,
                       .requests = requests,
                       .top_k = options_.top_k,
                       .state_floats = 0,
                       .choices = options_.choices};
  for (const read_request& r : requests) {
    options.top_k = std::max(options.top_k, r.top_k);
    if (r.hidden) options.state_floats = options_.state_floats;
  }
  pack_rules rules = rules_;
  if (options.state_floats > 0)
    rules.pack_reads = std::max<std::size_t>(1, most_states / options.state_floats);
  const planned_work work(sequences, requests, rules);
  evaluation_counts counts = work.counts;
  counts.most_kept_tokens = 0;
  const std::vector<std::span<const pack>> waves = work.waves();
  for (std::size_t i = 0; i < waves.size(); ++i) {
    const wave::on_stage step = [&](std::uint32_t stage, std::uint32_t of) {
      if (check_weights_) check_weights_();  // the stage was loaded during the one before
      if (!at_stage) return;
      const double done = static_cast<double>(i) + static_cast<double>(stage) / of;
      at_stage(cat("wave ", i + 1, " of ", waves.size(), ", stage ", stage + 1, " of ", of),
               done / static_cast<double>(waves.size()));
    };
    const std::size_t kept = wave(model_, work, waves[i], rules_, options, done, step).run();
    counts.most_kept_tokens = std::max<std::uint64_t>(counts.most_kept_tokens, kept);
  }
  return counts;
}

}  // namespace depthlens
