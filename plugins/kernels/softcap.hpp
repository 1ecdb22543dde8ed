// SPDX-License-Identifier: Apache-2.0
// The hyperbolic tangent of a vector and the soft cap made of it, value by value: a value's result does not
// depend on its place. Within 3 units in the last place (tests/backend/cpu_activation_test.cpp).
#pragma once

#include "exp.hpp"
#include "simd.hpp"

namespace depthlens::cpu::DEPTHLENS_ISA {

// Near 0 an odd polynomial (own Chebyshev fit, 1e-9 off), further out 1 - 2 / (exp(2 |x|) + 1).
inline vec tanh_any(vec x) {
  const vec size = x < vec{} ? -x : x;
  const vec y = x * x;
  vec p = splat(0.0022149028f);
  p = p * y + splat(-0.008272457f);
  p = p * y + splat(0.021746187f);
  p = p * y + splat(-0.05395635f);
  p = p * y + splat(0.13333291f);
  p = p * y + splat(-0.33333333f);
  const vec near = x + x * (y * p);
  const vec far = splat(1.0f) - splat(2.0f) / (exp_any(size + size) + splat(1.0f));
  return size < splat(0.65f) ? near : x < vec{} ? -far : far;
}

// z = cap tanh(z / cap) for z (n); cap > 0.
inline void soft_cap(float* z, std::size_t n, float cap) {
  const vec c = splat(cap);
  std::size_t i = 0;
  for (; i + lanes <= n; i += lanes) store(z + i, c * tanh_any(load(z + i) / c));
  if (i < n) store_some(z + i, c * tanh_any(load_some(z + i, n - i) / c), n - i);
}

}  // namespace depthlens::cpu::DEPTHLENS_ISA
