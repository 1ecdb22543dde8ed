// SPDX-License-Identifier: Apache-2.0
// For backends: which experts a router chooses for a row, and with what weights; see dlens_experts of
// abi/architecture.h. In double, so that experts are only equal where their logits are.
#pragma once

#include "depthlens/abi/backend.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <vector>

namespace depthlens {

struct chosen_experts {
  std::vector<std::uint32_t> ids;  // (n_used), the best first
  std::vector<double> weights;
};

namespace detail {

inline void softmax_of(std::vector<double>& x) {
  const double highest = *std::max_element(x.begin(), x.end());
  double sum = 0;
  for (double& one : x) sum += one = std::exp(one - highest);
  for (double& one : x) one /= sum;
}

// The n with the largest scores, of equal ones the smaller number; NaN is smaller than all numbers.
inline std::vector<std::uint32_t> best_of(const std::vector<double>& score, std::size_t n) {
  const auto key = [&](std::uint32_t i) {
    return std::isnan(score[i]) ? -std::numeric_limits<double>::infinity() : score[i];
  };
  std::vector<std::uint32_t> ids(score.size());
  std::iota(ids.begin(), ids.end(), 0u);
  const auto end = ids.begin() + static_cast<std::ptrdiff_t>(n);
  std::partial_sort(ids.begin(), end, ids.end(), [&](std::uint32_t a, std::uint32_t b) {
    return key(a) > key(b) || (key(a) == key(b) && a < b);
  });
  ids.resize(n);
  return ids;
}

// Experts of all groups but the best get the lowest score.
inline void keep_best_groups(const dlens_experts& e, std::vector<double>& score) {
  const std::size_t n = e.n_experts / e.n_groups;
  std::vector<double> worth;
  for (std::size_t g = 0; g < e.n_groups; ++g) {
    std::vector<double> own(score.begin() + static_cast<std::ptrdiff_t>(g * n),
                            score.begin() + static_cast<std::ptrdiff_t>((g + 1) * n));
    const std::size_t counted = e.group_score == DLENS_GROUPS_BEST_TWO ? std::min<std::size_t>(2, n) : 1;
    double sum = 0;
    for (const std::uint32_t i : best_of(own, counted)) sum += own[i];
    worth.push_back(sum);
  }
  std::vector<bool> kept(e.n_groups);
  for (const std::uint32_t g : best_of(worth, e.groups_used)) kept[g] = true;
  for (std::size_t i = 0; i < score.size(); ++i)
    if (!kept[i / n]) score[i] = -std::numeric_limits<double>::infinity();
}

}  // namespace detail

// logits (E). correction, scale (E) or empty. Where one of the scores, or of the corrected ones, is no
// number, so are all weights.
inline chosen_experts choose_experts(const dlens_experts& e, const float* logits,
                                     const std::vector<float>& correction, const std::vector<float>& scale) {
  std::vector<double> score(logits, logits + e.n_experts);
  if (e.router == DLENS_ROUTER_SOFTMAX) detail::softmax_of(score);
  for (double& s : score)
    if (e.router == DLENS_ROUTER_SIGMOID) s = 1 / (1 + std::exp(-s));
  std::vector<double> by = score;
  for (std::size_t i = 0; i < correction.size(); ++i) by[i] += static_cast<double>(correction[i]);
  const bool broken = std::any_of(by.begin(), by.end(), [](double s) { return std::isnan(s); });
  if (e.group_score != DLENS_GROUPS_NONE) detail::keep_best_groups(e, by);
  chosen_experts out;
  out.ids = detail::best_of(by, e.n_used);
  for (const std::uint32_t id : out.ids) out.weights.push_back(score[id]);
  if (e.router == DLENS_ROUTER_CHOSEN_SOFTMAX) detail::softmax_of(out.weights);
  const double sum = e.normalised ? std::accumulate(out.weights.begin(), out.weights.end(), 0.0) : 1.0;
  for (std::size_t i = 0; i < out.ids.size(); ++i) {
    out.weights[i] *= e.scale / sum;
    if (!scale.empty()) out.weights[i] *= static_cast<double>(scale[out.ids[i]]);
    if (broken) out.weights[i] = std::numeric_limits<double>::quiet_NaN();
  }
  return out;
}

// In nats: of a softmax of the logits (E), or of their sigmoids divided by the sum of these.
inline double router_entropy(const dlens_experts& e, const float* logits) {
  std::vector<double> share(logits, logits + e.n_experts);
  if (e.router == DLENS_ROUTER_SIGMOID) {
    for (double& s : share) s = 1 / (1 + std::exp(-s));
    const double sum = std::accumulate(share.begin(), share.end(), 0.0);
    for (double& s : share) s /= sum;
  } else {
    detail::softmax_of(share);
  }
  double out = 0;
  for (const double s : share)
    if (s != 0) out -= s * std::log(s);
  return out;
}

}  // namespace depthlens
