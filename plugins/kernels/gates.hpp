// SPDX-License-Identifier: Apache-2.0
// Gates that are no activation times a factor. Value by value: a value's result does not depend on its place.
#pragma once

#include "exp.hpp"
#include "simd.hpp"

namespace depthlens::cpu::DEPTHLENS_ISA {

inline vec sigmoid(vec x) { return splat(1.0f) / (splat(1.0f) + exp_any(-x)); }

// x *= sigmoid(gate); (n).
inline void times_sigmoid(float* x, const float* gate, std::size_t n) {
  std::size_t i = 0;
  for (; i + lanes <= n; i += lanes) store(x + i, load(x + i) * sigmoid(load(gate + i)));
  if (i < n) store_some(x + i, load_some(x + i, n - i) * sigmoid(load_some(gate + i, n - i)), n - i);
}

// DLENS_ACTIVATION_CLAMPED of abi/architecture.h.
inline vec clamped(vec gate, vec up, vec alpha, vec limit) {
  const vec g = gate > limit ? limit : gate;
  vec u = up > limit ? limit : up;
  u = u < -limit ? -limit : u;
  return g * sigmoid(alpha * g) * (u + splat(1.0f));
}

// All (n); out may be gate or up.
inline void clamped_gate(const float* gate, const float* up, float alpha, float limit, std::size_t n,
                         float* out) {
  const vec a = splat(alpha), l = splat(limit);
  std::size_t i = 0;
  for (; i + lanes <= n; i += lanes) store(out + i, clamped(load(gate + i), load(up + i), a, l));
  if (i < n) store_some(out + i, clamped(load_some(gate + i, n - i), load_some(up + i, n - i), a, l), n - i);
}

}  // namespace depthlens::cpu::DEPTHLENS_ISA
