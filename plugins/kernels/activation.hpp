// SPDX-License-Identifier: Apache-2.0
// The activations between the two halves of a feed-forward layer, gated or not, value by value: a value's
// result does not depend on its place. Errors within 4 units in the last place of x for gelu, 2 for others
// (tests/backend/cpu_activation_test.cpp).
#pragma once

#include "exp.hpp"
#include "kernels.hpp"
#include "simd.hpp"

namespace depthlens::cpu::DEPTHLENS_ISA {

inline vec silu(vec x) { return x / (splat(1.0f) + exp_any(-x)); }

// x (1 + tanh(u)) / 2 = x / (1 + exp(-2 u)), u = sqrt(2 / pi) (x + 0.044715 x^3).
inline vec gelu_tanh(vec x) {
  const vec u2 = x * (splat(1.5957691216f) + splat(0.0713548163f) * (x * x));
  return x / (splat(1.0f) + exp_any(-u2));
}

// x Phi(x). For x < 0, Phi(x) = exp(-x^2 / 2) erfcx(|x| / sqrt 2) / 2; erfcx / 2 is t times a polynomial
// (own Chebyshev fit, 4e-9 off) of t = 1 / (1 + 0.24 |x|). Phi(x) = 1 - Phi(-x) cancels nothing for x > 0.
inline vec gelu(vec x) {
  const vec size = x < vec{} ? -x : x;
  const vec t = splat(1.0f) / (splat(1.0f) + splat(0.24f) * size);
  vec p = splat(0.025429135f);
  p = p * t + splat(-0.124124155f);
  p = p * t + splat(0.20430129f);
  p = p * t + splat(-0.14272867f);
  p = p * t + splat(0.14018404f);
  p = p * t + splat(0.028833965f);
  p = p * t + splat(0.08752455f);
  p = p * t + splat(0.08898675f);
  p = p * t + splat(0.095850666f);
  p = p * t + splat(0.095742435f);
  const vec tail = exp_any(splat(-0.5f) * (x * x)) * (t * p);
  return x * (x < vec{} ? tail : splat(1.0f) - tail);
}

inline vec relu(vec x) { return x < vec{} ? vec{} : x; }

template <vec (*Function)(vec)>
inline void map(const float* x, std::size_t n, float* out) {
  std::size_t i = 0;
  for (; i + lanes <= n; i += lanes) store(out + i, Function(load(x + i)));
  if (i < n) store_some(out + i, Function(load_some(x + i, n - i)), n - i);
}

template <vec (*Function)(vec)>
inline void map_times(const float* x, const float* factor, std::size_t n, float* out) {
  std::size_t i = 0;
  for (; i + lanes <= n; i += lanes) store(out + i, Function(load(x + i)) * load(factor + i));
  if (i < n) {
    store_some(out + i, Function(load_some(x + i, n - i)) * load_some(factor + i, n - i), n - i);
  }
}

template <vec (*Function)(vec)>
inline void map_row(const float* x, const float* factor, std::size_t n, float* out) {
  factor ? map_times<Function>(x, factor, n, out) : map<Function>(x, n, out);
}

// out = function(x) * factor; factor NULL = 1; all (n). out may be x or factor.
inline void activate(activation kind, const float* x, const float* factor, std::size_t n, float* out) {
  switch (kind) {
    case activation::silu:
      return map_row<silu>(x, factor, n, out);
    case activation::gelu:
      return map_row<gelu>(x, factor, n, out);
    case activation::gelu_tanh:
      return map_row<gelu_tanh>(x, factor, n, out);
    case activation::relu:
      return map_row<relu>(x, factor, n, out);
  }
}

}  // namespace depthlens::cpu::DEPTHLENS_ISA
