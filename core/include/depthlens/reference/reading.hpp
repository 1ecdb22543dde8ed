// SPDX-License-Identifier: Apache-2.0
// The measures of a row of logits, written down plainly in double precision: with p = softmax(logits),
//   rank = 1 + the number of larger logits        logprob = log p[id]
//   entropy = -sum p log p                        KL(last || row) = sum p_last (log p_last - log p)
#pragma once

#include "depthlens/reference/model.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>

namespace depthlens::reference {

struct reading {
  explicit reading(row z) : logits(std::move(z)) {
    const double highest = *std::max_element(logits.begin(), logits.end());
    double sum = 0;
    for (const double x : logits) sum += std::exp(x - highest);
    log_sum = highest + std::log(sum);
    for (const double x : logits) entropy -= std::exp(x - log_sum) * (x - log_sum);
  }
  double logprob(std::int32_t id) const { return logits[static_cast<std::size_t>(id)] - log_sum; }
  double kl_from(const reading& last) const {
    double kl = 0;
    for (std::size_t i = 0; i < logits.size(); ++i) {
      const double p = last.logits[i] - last.log_sum;
      kl += std::exp(p) * (p - (logits[i] - log_sum));
    }
    return kl;
  }
  // 1 + the number of logits larger by more than `margin`: with a margin above 0 the smallest rank, below 0
  // the largest rank that rounding can make of it.
  std::uint32_t rank(std::int32_t id, double margin) const {
    const double own = logits[static_cast<std::size_t>(id)];
    std::uint32_t above = 0;
    for (std::size_t i = 0; i < logits.size(); ++i) {
      above += static_cast<std::int32_t>(i) != id && logits[i] > own + margin ? 1u : 0u;
    }
    return above + 1;
  }
  std::int32_t best() const {
    return static_cast<std::int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
  }

  row logits;
  double log_sum = 0, entropy = 0;
};

}  // namespace depthlens::reference
