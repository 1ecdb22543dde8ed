// SPDX-License-Identifier: Apache-2.0
// Row by row operations on the residual stream: the norms, and sums. Orders of summation depend on the width
// of a row alone.
#pragma once

#include "simd.hpp"

namespace depthlens::cpu::DEPTHLENS_ISA {

// out = x / sqrt(mean(x^2) + eps) * weight; x, weight, out (n). out may be x.
inline void rms_norm(const float* x, const float* weight, float eps, std::size_t n, float* out) {
  vec sums[4] = {};
  std::size_t i = 0;
  for (; i + 4 * lanes <= n; i += 4 * lanes) {
    for (std::size_t j = 0; j < 4; ++j) {
      const vec v = load(x + i + j * lanes);
      sums[j] += v * v;
    }
  }
  for (; i < n; i += lanes) {
    const vec v = load_some(x + i, n - i < lanes ? n - i : lanes);
    sums[0] += v * v;
  }
  const double squares = sum_lanes((sums[0] + sums[1]) + (sums[2] + sums[3]));
  const double mean = squares / static_cast<double>(n);
  const float scale = static_cast<float>(1.0 / __builtin_sqrt(mean + static_cast<double>(eps)));
  for (i = 0; i < n; ++i) out[i] = x[i] * scale * weight[i];
}

// The sum of x (n), or of (x - shift)^2.
template <bool Squares>
inline double row_sum(const float* x, std::size_t n, float shift) {
  const auto term = [shift](vec v) { return Squares ? (v - splat(shift)) * (v - splat(shift)) : v; };
  vec sums[4] = {};
  std::size_t i = 0;
  for (; i + 4 * lanes <= n; i += 4 * lanes) {
    for (std::size_t j = 0; j < 4; ++j) sums[j] += term(load(x + i + j * lanes));
  }
  for (; i + lanes <= n; i += lanes) sums[0] += term(load(x + i));
  if (i < n) sums[1] += first_lanes(n - i) ? term(load_some(x + i, n - i)) : vec{};
  return sum_lanes((sums[0] + sums[1]) + (sums[2] + sums[3]));
}

// out = (x - mean(x)) / sqrt(variance(x) + eps) * weight; x, weight, out (n). out may be x.
inline void layer_norm(const float* x, const float* weight, float eps, std::size_t n, float* out) {
  const float mean = static_cast<float>(row_sum<false>(x, n, 0) / static_cast<double>(n));
  const double variance = row_sum<true>(x, n, mean) / static_cast<double>(n);
  const float scale = static_cast<float>(1.0 / __builtin_sqrt(variance + static_cast<double>(eps)));
  for (std::size_t i = 0; i < n; ++i) out[i] = (x[i] - mean) * scale * weight[i];
}

// h += x; (n).
inline void add(float* h, const float* x, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) h[i] += x[i];
}

// h += x * scale; (n).
inline void add_scaled(float* h, const float* x, float scale, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) h[i] += x[i] * scale;
}

// h *= by; (n).
inline void scale(float* h, float by, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) h[i] *= by;
}

// x cut to -most..most; (n). NaN stays.
inline void clip(float* x, float most, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) x[i] = x[i] > most ? most : x[i] < -most ? -most : x[i];
}

}  // namespace depthlens::cpu::DEPTHLENS_ISA
