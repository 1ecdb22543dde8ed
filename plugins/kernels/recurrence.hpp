// SPDX-License-Identifier: Apache-2.0
// What a delta rule does besides products: decays, the causal convolution, keys of length 1.
#pragma once

#include "activation.hpp"
#include "exp.hpp"
#include "simd.hpp"

namespace depthlens::cpu::DEPTHLENS_ISA {

// x *= exp(from - less); (n).
inline void times_exp(float* x, const float* less, float from, std::size_t n) {
  const vec f = splat(from);
  std::size_t i = 0;
  for (; i + lanes <= n; i += lanes) store(x + i, load(x + i) * exp_any(f - load(less + i)));
  if (i < n) store_some(x + i, load_some(x + i, n - i) * exp_any(f - load_some(less + i, n - i)), n - i);
}

// out = silu(sum over i of weight(i, :) rows[i]); weight (width, n), rows: (width) of (n), the token's own
// last; a null row, before the first token, is zeros.
inline void convolve(const float* const* rows, const float* weight, std::size_t width, std::size_t n,
                     float* out) {
  for (std::size_t at = 0; at < n; at += lanes) {
    const std::size_t left = n - at < lanes ? n - at : lanes;
    vec sum = {};
    for (std::size_t i = 0; i < width; ++i)
      if (rows[i]) sum += load_some(weight + i * n + at, left) * load_some(rows[i] + at, left);
    store_some(out + at, silu(sum), left);
  }
}

// x *= length / sqrt(sum of squares + 1e-6); (n).
inline void unit_length(float* x, std::size_t n, float length) {
  vec sums = {};
  for (std::size_t i = 0; i < n; i += lanes) {
    const vec v = load_some(x + i, n - i < lanes ? n - i : lanes);
    sums += v * v;
  }
  const float by = static_cast<float>(static_cast<double>(length) / __builtin_sqrt(sum_lanes(sums) + 1e-6));
  for (std::size_t i = 0; i < n; ++i) x[i] *= by;
}

}  // namespace depthlens::cpu::DEPTHLENS_ISA
