// SPDX-License-Identifier: Apache-2.0
// What the form of a model decides of how work is divided.
#pragma once

#include "depthlens/model/architecture.hpp"
#include "model/work_rules.hpp"

#include <algorithm>
#include <cstddef>

namespace depthlens {

// Fewest tokens of a pack in which an expert of any block gets about 32 rows, so that its weights are worth
// going through; 0 where there are none.
inline std::size_t pack_for_experts(const architecture& a) {
  std::size_t out = 0;
  for (const block_part& b : a.blocks)
    if (b.experts)
      out = std::max<std::size_t>(out, 32 * std::size_t{b.experts->n_experts} / b.experts->n_used);
  return out;
}

inline void fit_to(const architecture& a, work_rules& rules) {
  rules.long_positions = a.long_positions;
  rules.fewest_tokens = pack_for_experts(a);
}

}  // namespace depthlens
