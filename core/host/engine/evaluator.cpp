// SPDX-License-Identifier: Apache-2.0
#include "engine/evaluator.hpp"

#include "depthlens/abi/intervene.h"
#include "depthlens/base/error.hpp"
#include "engine/edit_vectors.hpp"
#include "engine/ordered_work.hpp"
#include "engine/pack_call.hpp"
#include "engine/planned_work.hpp"
#include "engine/wave.hpp"
#include "process/plugin_call.hpp"

#include <algorithm>
#include <utility>

namespace depthlens {
namespace {

constexpr std::size_t most_states = 16u
                                    << 20;  // floats of the residual streams that a pack gives back, about

void require_interventions(const dlens_model* model) {
  const bool asks = DLENS_HAS(dlens_model, model, get_extension) && model->get_extension != nullptr;
  if (!asks || model->get_extension(model, DLENS_INTERVENE_INTERFACE) == nullptr)
    fail(status::unavailable, "backend ", backend_name(), " does not change states (",
         DLENS_INTERVENE_INTERFACE, ")");
}

}  // namespace

evaluator::evaluator(const dlens_model* model, std::vector<active_lens> lenses, const work_rules& rules,
                     const reading_options& options)
    : model_(model), lenses_(std::move(lenses)), options_(options), check_weights_(rules.check_weights) {
  read_cost cost{.row_weight = options.row_weight};
  for (const active_lens& l : lenses_) cost.layers += l.n_layers;
  rules_ = combine(rules, advice_of(model), cost);
}

evaluation_counts evaluator::run(const asked_work& asked, const on_result& done,
                                 const on_stage& at_stage) const {
  std::vector<read_request> of[2];     // lenses, output only
  std::vector<std::size_t> number[2];  // of each request among those asked
  std::vector<std::int32_t> place(asked.requests.size());
  for (std::size_t i = 0; i < asked.requests.size(); ++i) {
    const int kind = asked.requests[i].output_only ? 1 : 0;
    place[i] = static_cast<std::int32_t>(of[kind].size());
    of[kind].push_back(asked.requests[i]);
    number[kind].push_back(i);
  }
  evaluation_counts counts;
  for (const int kind : {0, 1}) {
    if (of[kind].empty()) continue;
    if (kind == 1 && options_.output.lens == nullptr)
      fail(status::internal, "the final output alone is asked for, and there is no lens for it");
    for (read_request& r : of[kind]) {
      if (r.against >= 0) r.against = place[static_cast<std::size_t>(r.against)];
      for (std::int32_t& target : r.targets)
        if (target < -1) target = -2 - place[read_of_target(target)];
    }
    const std::vector<active_lens> lenses = kind == 0 ? lenses_ : std::vector{options_.output};
    counts += read(
        {asked.sequences, of[kind], asked.edits}, lenses,
        [&](std::size_t request, std::shared_ptr<const site_readings> r) {
          done(number[kind][request], std::move(r));
        },
        at_stage);
  }
  return counts;
}

// In two parts where changes or targets need what other reads say: those first.
evaluation_counts evaluator::read(const asked_work& asked, const std::vector<active_lens>& lenses,
                                  const on_result& done, const on_stage& at_stage) const {
  call_options options{.lenses = lenses, .requests = {}, .top_k = options_.top_k, .state_floats = 0};
  options.choices = options_.choices;
  if (!asked.edits.empty()) require_interventions(model_);
  ordered_work order(asked);
  evaluation_counts counts;
  if (!order.first().empty()) {
    options.requests = order.first();
    const auto keep = [&](std::size_t read, std::shared_ptr<const site_readings> r) {
      order.keep(read, r);
      if (const auto request = order.request_of_first(read)) done(*request, std::move(r));
    };
    counts += read_planned({asked.sequences, order.first()}, options, keep, at_stage);
  }
  const edit_vectors vectors(options_.d_model, order.states());
  const std::vector<read_request> second = order.second();
  options.requests = second;
  options.vectors = &vectors;
  const auto pass_on = [&](std::size_t read, std::shared_ptr<const site_readings> r) {
    done(order.request_of_second(read), std::move(r));
  };
  return counts += read_planned({asked.sequences, second, asked.edits}, options, pass_on, at_stage);
}

evaluation_counts evaluator::read_planned(const asked_work& asked, const call_options& given,
                                          const on_result& done, const on_stage& at_stage) const {
  call_options options = given;
  for (const read_request& r : asked.requests) {
    options.top_k = std::max(options.top_k, r.top_k);
    if (r.hidden) options.state_floats = state_floats();
  }
  pack_rules rules = rules_;
  if (options.state_floats > 0)
    rules.pack_reads = std::max<std::size_t>(1, most_states / options.state_floats);
  const planned_work work(asked, rules);
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
