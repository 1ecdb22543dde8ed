// SPDX-License-Identifier: Apache-2.0
// For backends: what ALiBi adds to the score of a key at a position, seen from another; see DLENS_ALIBI of
// abi/architecture.h.
#pragma once

#include "depthlens/abi/backend.h"
#include "depthlens/files/blocks/halves.hpp"

#include <cstddef>

namespace depthlens {

inline float alibi_bias(const dlens_attention& a, float slope, std::size_t key, std::size_t position) {
  if (a.alibi == DLENS_ALIBI) return slope * (static_cast<float>(key) - static_cast<float>(position));
  const float product = rounded_to_bf16(slope) * rounded_to_bf16(static_cast<float>(key));
  return static_cast<float>(a.scale) * rounded_to_bf16(product);
}

}  // namespace depthlens
