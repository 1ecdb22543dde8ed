// SPDX-License-Identifier: Apache-2.0
// Attention of a few query rows over one path of the token tree: keys and values of the path lie in panels by
// position, so the keys of a row at position p are the columns 0..p whatever the pack looks like. Every score
// is one chain of multiply-adds over the head's dimensions, every output one over positions 0..p, the sum of
// a softmax goes by position modulo the vector width: a row's result depends on its own path only. With a
// window, sums begin at the first position inside it, and a softmax at the vector which holds that position.
#pragma once

#include "exp.hpp"
#include "kernels.hpp"
#include "simd.hpp"
#include "softcap.hpp"

namespace depthlens::cpu::DEPTHLENS_ISA {

// scores(r, c) = sum over d of q(r, d) * keys(d, c), for Rows rows and Vectors * lanes columns from `column`
// on.
template <int Rows, int Vectors>
inline void score_block(const attend_job& job, float* const* q, std::size_t column) {
  vec sums[Rows][Vectors] = {};
  const float* keys = job.keys + column;
  for (std::size_t d = 0; d < job.head_dim; ++d, keys += job.stride) {
    vec k[Vectors];
#pragma GCC unroll 8
    for (int v = 0; v < Vectors; ++v) k[v] = load(keys + v * lanes);
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) {
      const vec x = splat(q[r][d]);
#pragma GCC unroll 8
      for (int v = 0; v < Vectors; ++v) sums[r][v] += x * k[v];
    }
  }
  for (int r = 0; r < Rows; ++r) {
    for (int v = 0; v < Vectors; ++v) store(job.scores + r * job.stride + column + v * lanes, sums[r][v]);
  }
}

// sums(r, :) += weights(r, p) * values(p, :) for p in begin..end-1, Vectors * lanes values from `offset` on.
template <int Rows, int Vectors>
inline void blend_block(const attend_job& job, const float* weights, std::size_t begin, std::size_t end,
                        std::size_t offset, vec (*sums)[Vectors]) {
  vec local[Rows][Vectors];
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 8
    for (int v = 0; v < Vectors; ++v) local[r][v] = sums[r][v];
  }
  const float* values = job.values + begin * job.value_stride + offset;
  for (std::size_t p = begin; p < end; ++p, values += job.value_stride) {
    vec x[Vectors];
#pragma GCC unroll 8
    for (int v = 0; v < Vectors; ++v) x[v] = load(values + v * lanes);
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) {
      const vec w = splat(weights[r * job.stride + p]);
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

// Positions begin..end-1.
struct key_range {
  std::size_t begin, end;
};

// Scores of the range to exponentials relative to their maximum; returns 1 / their sum.
inline float softmax(float* scores, key_range keys, float softcap) {
  const std::size_t n = keys.end, rest = n % lanes, whole = n - rest;
  const std::size_t skipped = keys.begin % lanes, start = keys.begin - skipped;
  if (softcap != 0) soft_cap(scores + keys.begin, n - keys.begin, softcap);
  if (skipped != 0) {
    store(scores + start, first_lanes(skipped) ? splat(-__builtin_inff()) : load(scores + start));
  }
  if (rest != 0) {
    const vec last = first_lanes(rest) ? load(scores + whole) : splat(-__builtin_inff());
    store(scores + whole, last);
  }
  vec highest = splat(-__builtin_inff());
  for (std::size_t i = start; i < n; i += lanes) highest = larger(highest, load(scores + i));
  const vec maximum = splat(largest_lane(highest));
  vec sum = {};
  for (std::size_t i = start; i < n; i += lanes) {
    const vec e = exp_any(load(scores + i) - maximum);
    store(scores + i, e);
    sum += e;
  }
  return static_cast<float>(1.0 / sum_lanes(sum));
}

// Outputs of Rows rows, Vectors * lanes of their values from `offset` on.
template <int Rows, int Vectors>
inline void blend_rows(const attend_job& job, float* const* out, const key_range* keys, const float* scale,
                       std::size_t offset) {
  vec sums[Rows][Vectors] = {};
  key_range common = keys[0];
  for (int r = 1; r < Rows; ++r) {
    common.begin = keys[r].begin > common.begin ? keys[r].begin : common.begin;
    common.end = keys[r].end < common.end ? keys[r].end : common.end;
  }
  // Windows that share nothing: each row goes through its own keys.
  if (common.begin > common.end) common.begin = common.end;
  const auto own = [&](int r, std::size_t begin, std::size_t end) {
    blend_block<1, Vectors>(job, job.scores + r * job.stride, begin, end, offset, sums + r);
  };
  for (int r = 0; r < Rows && job.window != 0; ++r) own(r, keys[r].begin, common.begin);
  blend_block<Rows, Vectors>(job, job.scores, common.begin, common.end, offset, sums);
  for (int r = 0; r < Rows; ++r) {
    own(r, keys[r].begin > common.end ? keys[r].begin : common.end, keys[r].end);
    for (int v = 0; v < Vectors; ++v) {
      const std::size_t at = offset + v * lanes;
      const std::size_t left = job.head_dim > at ? job.head_dim - at : 0;
      const vec scaled = sums[r][v] * splat(scale[r]);
      left >= lanes ? store(out[r] + at, scaled) : store_some(out[r] + at, scaled, left);
    }
  }
}

template <int Rows>
inline void attend_rows(const attend_job& job, float* const* q, const key_range* keys) {
  std::size_t most = 0, column = keys[0].begin;
  for (int r = 0; r < Rows; ++r) {
    most = keys[r].end > most ? keys[r].end : most;
    column = keys[r].begin < column ? keys[r].begin : column;
  }
  column -= column % lanes;
  for (; column + block_vectors * lanes <= most; column += block_vectors * lanes) {
    score_block<Rows, block_vectors>(job, q, column);
  }
  for (; column < most; column += lanes) score_block<Rows, 1>(job, q, column);
  float scale[Rows];
  for (int r = 0; r < Rows; ++r) scale[r] = softmax(job.scores + r * job.stride, keys[r], job.softcap);
  std::size_t offset = 0;
  for (; offset + block_vectors * lanes <= job.head_dim; offset += block_vectors * lanes) {
    blend_rows<Rows, block_vectors>(job, q, keys, scale, offset);
  }
  for (; offset < job.head_dim; offset += lanes) blend_rows<Rows, 1>(job, q, keys, scale, offset);
}

// Replaces every query by its output.
inline void attend(const attend_job& job) {
  const std::size_t total = job.n_rows * job.n_heads;
  for (std::size_t first = 0; first < total; first += attend_rows_at_once) {
    const std::size_t n = total - first < attend_rows_at_once ? total - first : attend_rows_at_once;
    float* q[attend_rows_at_once];
    key_range keys[attend_rows_at_once];
    for (std::size_t i = 0; i < n; ++i) {
      const std::size_t row = (first + i) / job.n_heads, head = (first + i) % job.n_heads;
      q[i] = job.q + row * job.q_stride + head * job.head_dim;
      const std::size_t end = static_cast<std::size_t>(job.position[row]) + 1;
      keys[i] = {job.window != 0 && end > job.window ? end - job.window : 0, end};
    }
    switch (n) {
      case 1:
        attend_rows<1>(job, q, keys);
        break;
      case 2:
        attend_rows<2>(job, q, keys);
        break;
      case 3:
        attend_rows<3>(job, q, keys);
        break;
      case 4:
        attend_rows<4>(job, q, keys);
        break;
      case 5:
        attend_rows<5>(job, q, keys);
        break;
      default:
        attend_rows<attend_rows_at_once>(job, q, keys);
        break;
    }
  }
}

}  // namespace depthlens::cpu::DEPTHLENS_ISA
