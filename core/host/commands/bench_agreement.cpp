// SPDX-License-Identifier: Apache-2.0
#include "commands/bench_agreement.hpp"

#include <algorithm>
#include <cmath>
#include <memory>
#include <span>
#include <utility>

namespace depthlens {
namespace {

using results = std::vector<std::shared_ptr<const site_readings>>;  // by request

results read_all(const running_model& m, const bench_window& in, const bench_plan& plan) {
  results out(in.requests.size());
  make_evaluator(m, plan).run(
      {in.sequences, in.requests},
      [&](std::size_t request, std::shared_ptr<const site_readings> r) { out[request] = std::move(r); });
  return out;
}

void compare(const lens_reading& a, const lens_reading& b, std::span<layer_agreement> layers) {
  for (std::size_t l = 0; l < layers.size(); ++l) {
    layer_agreement& to = layers[l];
    const double rank_a = a.rank[l], rank_b = b.rank[l];
    const double p_a = std::exp(static_cast<double>(a.logprob[l]));
    const double p_b = std::exp(static_cast<double>(b.logprob[l]));
    ++to.positions;
    to.same_top += a.top[l] == b.top[l] ? 1 : 0;
    to.near_rank += std::abs(rank_a - rank_b) <= 0.01 * rank_b ? 1 : 0;
    to.error_sum += std::abs(p_a - p_b);
    to.largest_error = std::max(to.largest_error, std::abs(p_a - p_b));
  }
}

}  // namespace

std::vector<layer_agreement> measure_agreement(const opened_model& model, const running_model& of,
                                               const running_model& against,
                                               const std::vector<opened_lens>& lenses,
                                               const bench_prompts& prompts, const bench_plan& plan) {
  std::vector<std::vector<layer_agreement>> by_lens;
  for (const opened_lens& l : lenses)
    for (std::vector<layer_agreement>& to = by_lens.emplace_back();
         const std::int32_t layer : l.file.layers())
      to.push_back({.lens = l.spec.label, .layer = layer});
  for (std::size_t first = 0; first < prompts.size(); first += plan.rules.window) {
    bench_window in = read_window(model, prompts, plan, first);
    const results other = read_all(against, in, plan);
    for (std::size_t i = 0; i < in.requests.size(); ++i) in.requests[i].targets = {other[i]->final_top};
    const results own = read_all(of, in, plan);
    for (std::size_t i = 0; i < own.size(); ++i)
      for (std::size_t l = 0; l < lenses.size(); ++l)
        compare(own[i]->lenses[l], other[i]->lenses[l], by_lens[l]);
  }
  std::vector<layer_agreement> out;
  for (const auto& of_lens : by_lens) out.insert(out.end(), of_lens.begin(), of_lens.end());
  return out;
}

}  // namespace depthlens
