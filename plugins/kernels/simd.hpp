// SPDX-License-Identifier: Apache-2.0
// Vectors of the widest registers of the instruction set this file is compiled for, by the compiler's vector
// extension. The kernels' headers are compiled once for each instruction set, inside a namespace of its name
// (DEPTHLENS_ISA), and use nothing from the standard library that could be merged across them.
#pragma once

#include <cstddef>
#include <cstdint>

#ifndef DEPTHLENS_ISA
#define DEPTHLENS_ISA baseline
#endif

#if defined(__AVX512F__)
#define DEPTHLENS_VECTOR_BYTES 64
#elif defined(__AVX__)
#define DEPTHLENS_VECTOR_BYTES 32
#else
#define DEPTHLENS_VECTOR_BYTES 16
#endif

namespace depthlens::cpu::DEPTHLENS_ISA {

typedef float vec __attribute__((vector_size(DEPTHLENS_VECTOR_BYTES)));
typedef std::int32_t ivec __attribute__((vector_size(DEPTHLENS_VECTOR_BYTES)));
typedef std::uint32_t uvec __attribute__((vector_size(DEPTHLENS_VECTOR_BYTES)));  // sums that may wrap

constexpr std::size_t lanes = DEPTHLENS_VECTOR_BYTES / sizeof(float);

// Of attention's register blocks, with attend_rows_at_once: rows * vectors sums, vectors operands and one
// broadcast fit.
constexpr int block_vectors = DEPTHLENS_VECTOR_BYTES == 64 ? 4 : 2;

inline vec load(const float* at) {
  vec out;
  __builtin_memcpy(&out, at, sizeof out);
  return out;
}

inline void store(float* at, vec v) { __builtin_memcpy(at, &v, sizeof v); }

inline vec load_some(const float* at, std::size_t n) {
  vec out = {};
  __builtin_memcpy(&out, at, n * sizeof(float));
  return out;
}

inline void store_some(float* at, vec v, std::size_t n) { __builtin_memcpy(at, &v, n * sizeof(float)); }

inline vec splat(float x) { return vec{} + x; }

inline ivec lane_numbers() {
  ivec out;
  for (std::size_t i = 0; i < lanes; ++i) out[i] = static_cast<std::int32_t>(i);
  return out;
}

// The lanes below n.
inline ivec first_lanes(std::size_t n) { return lane_numbers() < static_cast<std::int32_t>(n); }

// In lane order, in double: the same sum wherever the vector came from.
inline double sum_lanes(vec v) {
  double out = 0;
  for (std::size_t i = 0; i < lanes; ++i) out += static_cast<double>(v[i]);
  return out;
}

// NaN lanes of b are passed over.
inline vec larger(vec a, vec b) { return b > a ? b : a; }

inline float largest_lane(vec v) {
  float out = v[0];
  for (std::size_t i = 1; i < lanes; ++i) out = v[i] > out ? v[i] : out;
  return out;
}

// a * b + c, fused wherever the instruction set can, so that vector and scalar code round alike.
inline float multiply_add(float a, float b, float c) {
#if defined(__FMA__) || defined(__ARM_FEATURE_FMA)
  return __builtin_fmaf(a, b, c);
#else
  return a * b + c;
#endif
}

}  // namespace depthlens::cpu::DEPTHLENS_ISA
