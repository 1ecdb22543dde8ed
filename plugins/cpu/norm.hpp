// SPDX-License-Identifier: Apache-2.0
// Row by row operations on the residual stream: RMS norm, sums and the gated activation. Orders of summation
// depend on the width of a row alone.
#pragma once

#include "exp.hpp"
#include "simd.hpp"

namespace depthlens::cpu::DEPTHLENS_ISA {

// out = x / sqrt(mean(x^2) + eps) * weight; x, weight, out (n).
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

// h += x; (n).
inline void add(float* h, const float* x, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) h[i] += x[i];
}

// out = gate / (1 + exp(-gate)) * up; (n). out may be gate or up.
inline void swiglu(const float* gate, const float* up, std::size_t n, float* out) {
  const auto silu_times = [](vec g, vec u) { return g / (splat(1.0f) + exp_any(-g)) * u; };
  std::size_t i = 0;
  for (; i + lanes <= n; i += lanes) store(out + i, silu_times(load(gate + i), load(up + i)));
  if (i < n) store_some(out + i, silu_times(load_some(gate + i, n - i), load_some(up + i, n - i)), n - i);
}

}  // namespace depthlens::cpu::DEPTHLENS_ISA
