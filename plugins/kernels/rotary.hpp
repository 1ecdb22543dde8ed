// SPDX-License-Identifier: Apache-2.0
// Rotary positions: pairs of a head's values turned by position * inverse frequency. Whoever calls keeps the
// cosines and sines of these angles, as they serve all layers.
#pragma once

#include "simd.hpp"

namespace depthlens::cpu::DEPTHLENS_ISA {

// Turns and scales pairs i = 0..half-1; cosine, sine (half). No pair shares a value with another, and the
// loop is one of vectors.
template <bool Interleaved>
inline void turn_pairs(float* row, std::size_t half, const float* cosine, const float* sine, float scale) {
  constexpr std::size_t step = Interleaved ? 2 : 1;
  float* const first = row;
  float* const second = row + (Interleaved ? 1 : half);
#pragma GCC ivdep
  for (std::size_t i = 0; i < half; ++i) {
    const float a = first[i * step], b = second[i * step];
    first[i * step] = multiply_add(a, cosine[i], -(b * sine[i])) * scale;
    second[i * step] = multiply_add(b, cosine[i], a * sine[i]) * scale;
  }
}

// Turns the first `dims` values of each of n_heads heads of head_dim, in place, and scales all of them.
// cosine, sine: (dims / 2) of the row's position. interleaved: pairs (2i, 2i + 1), else (i, i + dims / 2).
inline void rotate(float* row, std::size_t n_heads, std::size_t head_dim, std::size_t dims,
                   const float* cosine, const float* sine, bool interleaved, float scale) {
  const std::size_t half = dims / 2;
  for (std::size_t head = 0; head < n_heads; ++head, row += head_dim) {
    interleaved ? turn_pairs<true>(row, half, cosine, sine, scale)
                : turn_pairs<false>(row, half, cosine, sine, scale);
    for (std::size_t i = dims; i < head_dim; ++i) row[i] *= scale;
  }
}

}  // namespace depthlens::cpu::DEPTHLENS_ISA
