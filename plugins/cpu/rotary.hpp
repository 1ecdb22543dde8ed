// SPDX-License-Identifier: Apache-2.0
// Rotary positions: pairs of a head's values turned by position * inverse frequency. The angles' cosines and
// sines come from the workspace.
#pragma once

#include "simd.hpp"

namespace depthlens::cpu::DEPTHLENS_ISA {

// Turns the first `dims` values of each of n_heads heads of head_dim, in place, and scales all of them.
// cosine, sine: (dims / 2) of the row's position. interleaved: pairs (2i, 2i + 1), else (i, i + dims / 2).
inline void rotate(float* row, std::size_t n_heads, std::size_t head_dim, std::size_t dims,
                   const float* cosine, const float* sine, bool interleaved, float scale) {
  const std::size_t half = dims / 2;
  const std::size_t step = interleaved ? 2 : 1, offset = interleaved ? 1 : half;
  for (std::size_t head = 0; head < n_heads; ++head, row += head_dim) {
    for (std::size_t i = 0; i < half; ++i) {
      float& a = row[i * step];
      float& b = row[i * step + offset];
      const float turned_a = multiply_add(a, cosine[i], -(b * sine[i]));
      const float turned_b = multiply_add(b, cosine[i], a * sine[i]);
      a = turned_a * scale;
      b = turned_b * scale;
    }
    for (std::size_t i = dims; i < head_dim; ++i) row[i] *= scale;
  }
}

}  // namespace depthlens::cpu::DEPTHLENS_ISA
