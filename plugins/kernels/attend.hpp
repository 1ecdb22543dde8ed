// SPDX-License-Identifier: Apache-2.0
// Attention of a few query rows over one path of the token tree: keys and values of the path lie in panels by
// position, so the keys of a row at position p are the columns 0..p whatever the pack looks like. Every score
// is one chain of multiply-adds over the head's dimensions, every output one over positions 0..p, the sum of
// a softmax goes by position modulo the vector width: a row's result depends on its own path only. With a
// window, sums begin at the first position inside it, and a softmax at the vector which holds that position.
// ALiBi's biases come to the scores and a sink to the sum, after the soft cap.
#pragma once

#include "exp.hpp"
#include "kernels.hpp"
#include "simd.hpp"
#include "softcap.hpp"

namespace depthlens::cpu::DEPTHLENS_ISA {

// scores(r, c) = sum over d of q(r, d) * keys(d, c), for Rows rows and Vectors * lanes columns from `column`
// on.
template <int Rows, int Vectors>
inline void score_block(const attend_job& job, const float* const* q, std::size_t column) {
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

// What is added to the scores of a row, and the score without a value; NULL = none.
struct score_extras {
  const float* bias;  // by position
  const float* sink;
};

// Scores of the range to exponentials relative to their maximum; returns 1 / their sum.
inline float softmax(float* scores, key_range keys, float softcap, const score_extras& extras) {
  const std::size_t n = keys.end, rest = n % lanes, whole = n - rest;
  const std::size_t skipped = keys.begin % lanes, start = keys.begin - skipped;
  if (softcap != 0) soft_cap(scores + keys.begin, n - keys.begin, softcap);
  for (std::size_t i = keys.begin; extras.bias && i < n; ++i) scores[i] += extras.bias[i];
  if (skipped != 0) {
    store(scores + start, first_lanes(skipped) ? splat(-__builtin_inff()) : load(scores + start));
  }
  if (rest != 0) {
    const vec last = first_lanes(rest) ? load(scores + whole) : splat(-__builtin_inff());
    store(scores + whole, last);
  }
  vec highest = splat(extras.sink ? *extras.sink : -__builtin_inff());
  for (std::size_t i = start; i < n; i += lanes) highest = larger(highest, load(scores + i));
  const vec maximum = splat(largest_lane(highest));
  vec sum = {};
  for (std::size_t i = start; i < n; i += lanes) {
    const vec e = exp_any(load(scores + i) - maximum);
    store(scores + i, e);
    sum += e;
  }
  double all = sum_lanes(sum);
  if (extras.sink) all += static_cast<double>(exp_any(splat(*extras.sink) - maximum)[0]);
  return static_cast<float>(1.0 / all);
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
      const std::size_t left = job.value_dim > at ? job.value_dim - at : 0;
      const vec scaled = sums[r][v] * splat(scale[r]);
      left >= lanes ? store(out[r] + at, scaled) : store_some(out[r] + at, scaled, left);
    }
  }
}

// The rows of a block: a query, its output, the positions it reads, and what is added to its scores.
struct row_block {
  const float* q[attend_rows_at_once];
  float* out[attend_rows_at_once];
  key_range keys[attend_rows_at_once];
  score_extras extras[attend_rows_at_once];
};

template <int Rows>
inline void attend_rows(const attend_job& job, const row_block& rows) {
  std::size_t most = 0, column = rows.keys[0].begin;
  for (int r = 0; r < Rows; ++r) {
    most = rows.keys[r].end > most ? rows.keys[r].end : most;
    column = rows.keys[r].begin < column ? rows.keys[r].begin : column;
  }
  column -= column % lanes;
  for (; column + block_vectors * lanes <= most; column += block_vectors * lanes) {
    score_block<Rows, block_vectors>(job, rows.q, column);
  }
  for (; column < most; column += lanes) score_block<Rows, 1>(job, rows.q, column);
  float scale[Rows];
  for (int r = 0; r < Rows; ++r)
    scale[r] = softmax(job.scores + r * job.stride, rows.keys[r], job.softcap, rows.extras[r]);
  std::size_t offset = 0;
  for (; offset + block_vectors * lanes <= job.value_dim; offset += block_vectors * lanes) {
    blend_rows<Rows, block_vectors>(job, rows.out, rows.keys, scale, offset);
  }
  for (; offset < job.value_dim; offset += lanes)
    blend_rows<Rows, 1>(job, rows.out, rows.keys, scale, offset);
}

inline score_extras extras_of(const attend_job& job, std::size_t head, std::size_t position) {
  const float* bias = job.bias ? job.bias + head * job.bias_stride : nullptr;
  if (bias && job.bias_end != 0) bias += job.bias_end - position;
  return {bias, job.sinks ? job.sinks + head : nullptr};
}

inline void attend(const attend_job& job) {
  const std::size_t total = job.n_rows * job.n_heads;
  for (std::size_t first = 0; first < total; first += attend_rows_at_once) {
    const std::size_t n = total - first < attend_rows_at_once ? total - first : attend_rows_at_once;
    row_block rows;
    for (std::size_t i = 0; i < n; ++i) {
      const std::size_t row = (first + i) / job.n_heads, head = (first + i) % job.n_heads;
      rows.q[i] = job.q + row * job.q_stride + head * job.head_dim;
      rows.out[i] = job.out + row * job.out_stride + head * job.value_dim;
      const auto position = static_cast<std::size_t>(job.position[row]);
      const std::size_t end = position + 1;
      rows.keys[i] = {job.window != 0 && end > job.window ? end - job.window : 0, end};
      rows.extras[i] = extras_of(job, head, position);
    }
    switch (n) {
      case 1:
        attend_rows<1>(job, rows);
        break;
      case 2:
        attend_rows<2>(job, rows);
        break;
      case 3:
        attend_rows<3>(job, rows);
        break;
      case 4:
        attend_rows<4>(job, rows);
        break;
      case 5:
        attend_rows<5>(job, rows);
        break;
      default:
        attend_rows<attend_rows_at_once>(job, rows);
        break;
    }
  }
}

}  // namespace depthlens::cpu::DEPTHLENS_ISA
