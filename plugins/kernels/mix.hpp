// SPDX-License-Identifier: Apache-2.0
// Weighted sums of rows, a small product of two matrices: every sum is one chain of multiply-adds over the
// rows in their order, whatever else is computed with it.
#pragma once

#include "kernels.hpp"
#include "simd.hpp"

namespace depthlens::cpu::DEPTHLENS_ISA {

constexpr int mix_rows_at_once = 6;

// sums(r, :) += weights(r, k) * rows(k, :) for k in begin..end-1; Vectors * lanes values from `offset` on, of
// the last vector `left` alone.
template <int Rows, int Vectors>
inline void mix_range(const mix_job& job, const float* weights, std::size_t begin, std::size_t end,
                      std::size_t offset, std::size_t left, vec (*sums)[Vectors]) {
  vec local[Rows][Vectors];
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 8
    for (int v = 0; v < Vectors; ++v) local[r][v] = sums[r][v];
  }
  const float* row = job.rows + begin * job.row_stride + offset;
  for (std::size_t k = begin; k < end; ++k, row += job.row_stride) {
    vec x[Vectors];
#pragma GCC unroll 8
    for (int v = 0; v < Vectors; ++v)
      x[v] = v + 1 == Vectors && left < lanes ? load_some(row + v * lanes, left) : load(row + v * lanes);
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) {
      const vec w = splat(weights[r * job.weight_stride + k]);
#pragma GCC unroll 8
      for (int v = 0; v < Vectors; ++v) local[r][v] += w * x[v];
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 8
    for (int v = 0; v < Vectors; ++v) sums[r][v] = local[r][v];
  }
}

template <int Rows, int Vectors>
inline void mix_tile(const mix_job& job, std::size_t first, std::size_t offset, std::size_t left) {
  const float* weights = job.weights + first * job.weight_stride;
  const std::size_t* ends = job.ends + first;
  float* out = job.out + first * job.out_stride + offset;
  vec sums[Rows][Vectors] = {};
  if (job.adds) {
    for (int r = 0; r < Rows; ++r)
      for (int v = 0; v < Vectors; ++v) {
        const float* at = out + r * job.out_stride + v * lanes;
        sums[r][v] = v + 1 == Vectors && left < lanes ? load_some(at, left) : load(at);
      }
  }
  std::size_t common = ends[0];
  for (int r = 1; r < Rows; ++r) common = ends[r] < common ? ends[r] : common;
  mix_range<Rows, Vectors>(job, weights, 0, common, offset, left, sums);
  for (int r = 0; r < Rows; ++r) {
    mix_range<1, Vectors>(job, weights + r * job.weight_stride, common, ends[r], offset, left, sums + r);
    for (int v = 0; v < Vectors; ++v) {
      float* at = out + r * job.out_stride + v * lanes;
      v + 1 == Vectors&& left < lanes ? store_some(at, sums[r][v], left) : store(at, sums[r][v]);
    }
  }
}

template <int Rows>
inline void mix_block(const mix_job& job, std::size_t first) {
  std::size_t offset = 0;
  for (; offset + block_vectors * lanes <= job.width; offset += block_vectors * lanes)
    mix_tile<Rows, block_vectors>(job, first, offset, lanes);
  for (; offset < job.width; offset += lanes) mix_tile<Rows, 1>(job, first, offset, job.width - offset);
}

inline void mix_rows(const mix_job& job) {
  std::size_t first = 0;
  for (; first + mix_rows_at_once <= job.n_rows; first += mix_rows_at_once)
    mix_block<mix_rows_at_once>(job, first);
  for (; first < job.n_rows; ++first) mix_block<1>(job, first);
}

}  // namespace depthlens::cpu::DEPTHLENS_ISA
