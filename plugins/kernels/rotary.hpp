// SPDX-License-Identifier: Apache-2.0
// Rotary positions: pairs of a head's values turned by position * inverse frequency. Whoever calls keeps the
// cosines and sines of these angles, as they serve all layers.
#pragma once

#include "kernels.hpp"
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

// In place.
inline void rotate(float* row, const rotation& by) {
  const std::size_t half = by.dims / 2, end = by.begin + by.dims;
  for (std::size_t head = 0; head < by.n_heads; ++head, row += by.head_dim) {
    float* const turned = row + by.begin;
    by.interleaved ? turn_pairs<true>(turned, half, by.cosine, by.sine, by.scale)
                   : turn_pairs<false>(turned, half, by.cosine, by.sine, by.scale);
    for (std::size_t i = 0; i < by.begin; ++i) row[i] *= by.scale;
    for (std::size_t i = end; i < by.head_dim; ++i) row[i] *= by.scale;
  }
}

}  // namespace depthlens::cpu::DEPTHLENS_ISA
