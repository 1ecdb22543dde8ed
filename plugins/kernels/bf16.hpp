// SPDX-License-Identifier: Apache-2.0
// Numbers of 8 bits of mantissa (bf16: the upper half of a float) from floats and back. Rounds to the
// nearest, ties to even; what is too large becomes infinite, a NaN stays a quiet NaN. Floats below the
// smallest normal one (2^-126) become zeros of their sign, as in the CPU's own conversion, which is taken
// where there is one: on every CPU the same bits. Tested in tests/backend/cpu_bf16_test.cpp.
#pragma once

#include "kernels.hpp"
#include "simd.hpp"

#if defined(__AVX512BF16__)
#include <immintrin.h>
#endif

namespace depthlens::cpu::DEPTHLENS_ISA {

typedef std::uint32_t uvec __attribute__((vector_size(DEPTHLENS_VECTOR_BYTES)));
typedef std::uint16_t half_vec __attribute__((vector_size(DEPTHLENS_VECTOR_BYTES / 2)));

static_assert(sizeof(bf16) == sizeof(std::uint16_t));

#if defined(__AVX512BF16__)
inline half_vec rounded(vec x) { return (half_vec)_mm512_cvtneps_pbh((__m512)x); }
#else
inline half_vec rounded(vec x) {
  const uvec bits = (uvec)x;
  const uvec exponent = bits & 0x7f800000u;
  const uvec nearest = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
  const uvec small = (uvec)(exponent == 0u) & (bits >> 31 << 15);
  const uvec out = exponent == 0u ? small : nearest;
  return __builtin_convertvector(x == x ? out : (bits >> 16) | 0x40u, half_vec);
}
#endif

inline void store_bf16(bf16* at, vec x) {
  const half_vec half = rounded(x);
  __builtin_memcpy(at, &half, sizeof half);
}

inline void store_some_bf16(bf16* at, vec x, std::size_t n) {
  const half_vec half = rounded(x);
  __builtin_memcpy(at, &half, n * sizeof(bf16));
}

// x, out (n).
inline void to_bf16(const float* x, std::size_t n, bf16* out) {
  std::size_t i = 0;
  for (; i + lanes <= n; i += lanes) store_bf16(out + i, load(x + i));
  if (i < n) store_some_bf16(out + i, load_some(x + i, n - i), n - i);
}

// Exact. x, out (n).
inline void from_bf16(const bf16* x, std::size_t n, float* out) {
  for (std::size_t i = 0; i < n; ++i) {
    const std::uint32_t bits = static_cast<std::uint32_t>(x[i]) << 16;
    __builtin_memcpy(out + i, &bits, sizeof bits);
  }
}

}  // namespace depthlens::cpu::DEPTHLENS_ISA
