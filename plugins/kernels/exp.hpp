// SPDX-License-Identifier: Apache-2.0
// The exponential of a vector: x = n ln 2 + r with |r| <= ln 2 / 2, a polynomial of degree 6 for exp(r) (own
// Chebyshev fit, 0.2 units in the last place), and n added to the exponent. At most 2 units in the last place
// off over the whole range; results below the smallest normal float are 0. Tested over all exponents in
// tests/backend/cpu_exp_test.cpp.
#pragma once

#include "simd.hpp"

namespace depthlens::cpu::DEPTHLENS_ISA {

constexpr float exp_lowest = -87.33f;  // exp of less is not a normal float
constexpr float exp_highest = 88.72f;  // exp of more is not finite

// x within exp_lowest..exp_highest. A NaN gives an unspecified value.
inline vec exp_in_range(vec x) {
  const vec shift = splat(0x1.8p23f);  // leaves an integer in the low bits of the mantissa
  const vec t = x * splat(0x1.715476p+0f) + shift;
  const vec n = t - shift;
  vec r = x - n * splat(0x1.62e4p-1f);
  r = r - n * splat(0x1.7f7d1cp-20f);
  vec p = splat(0x1.6d119ap-10f);
  p = p * r + splat(0x1.120cp-7f);
  p = p * r + splat(0x1.555518p-5f);
  p = p * r + splat(0x1.5554dcp-3f);
  p = p * r + splat(0x1p-1f);
  p = p * (r * r) + r;
  p = p + splat(1.0f);
  return (vec)((uvec)p + ((uvec)t << 23));
}

// Any x: 0 below exp_lowest, infinity above exp_highest, NaN for NaN.
inline vec exp_any(vec x) {
  const vec low = splat(exp_lowest), high = splat(exp_highest);
  vec in_range = x < low ? low : x;
  in_range = in_range > high ? high : in_range;
  vec out = exp_in_range(in_range);
  out = x < low ? vec{} : out;
  out = x > high ? splat(__builtin_inff()) : out;
  return x == x ? out : x;
}

}  // namespace depthlens::cpu::DEPTHLENS_ISA
