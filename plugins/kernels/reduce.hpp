// SPDX-License-Identifier: Apache-2.0
// One row of logits, tile by tile, to what a reading needs. A tile is reduced in vectors of float sums over
// at most 1024 / (4 lanes) values each, tiles are joined in double; the order depends on the vocabulary
// alone. A NaN logit is below every number for rank and top-k and makes the row's sums NaN.
#pragma once

#include "exp.hpp"
#include "kernels.hpp"
#include "simd.hpp"

namespace depthlens::cpu::DEPTHLENS_ISA {

// NaNs are passed over; -infinity if there is nothing else.
inline float largest(const float* z, std::size_t n) {
  vec highest[4];
  for (vec& h : highest) h = splat(-__builtin_inff());
  std::size_t i = 0;
  for (; i + 4 * lanes <= n; i += 4 * lanes) {
    for (std::size_t j = 0; j < 4; ++j) highest[j] = larger(highest[j], load(z + i + j * lanes));
  }
  for (; i + lanes <= n; i += lanes) highest[0] = larger(highest[0], load(z + i));
  if (i < n) highest[1] = larger(highest[1], first_lanes(n - i) ? load_some(z + i, n - i) : highest[1]);
  return largest_lane(larger(larger(highest[0], highest[1]), larger(highest[2], highest[3])));
}

inline void insert_top(row_state& row, float logit, std::int32_t id) {
  std::uint32_t at = row.n_top < row.top_k ? row.n_top++ : row.top_k - 1;
  for (; at > 0 && row.top[at - 1].logit < logit; --at) row.top[at] = row.top[at - 1];
  row.top[at] = {logit, id};
}

// Keeps the top_k largest, of equal ones those seen first.
inline void scan_top(const logit_tile& tile, float tile_max, row_state& row) {
  constexpr std::size_t step = 64;
  const auto bar = [&row] {
    return row.n_top < row.top_k ? -__builtin_inff() : row.top[row.top_k - 1].logit;
  };
  if (row.top_k == 0 || !(tile_max > bar())) return;
  for (std::size_t i = 0; i < tile.n; i += step) {
    const std::size_t end = i + step < tile.n ? i + step : tile.n;
    const float limit = bar();
    unsigned any = 0;
    for (std::size_t j = i; j < end; ++j) any |= tile.logits[j] > limit ? 1u : 0u;
    if (any == 0) continue;
    for (std::size_t j = i; j < end; ++j) {
      if (tile.logits[j] > bar())
        insert_top(row, tile.logits[j], tile.first_id + static_cast<std::int32_t>(j));
    }
  }
}

inline void count_target(const logit_tile& tile, target_state& target) {
  const vec t = splat(target.logit);
  ivec above = {}, equal = {};
  std::size_t i = 0;
  for (; i + lanes <= tile.n; i += lanes) {
    const vec z = load(tile.logits + i);
    above -= z > t;
    equal -= z == t;
  }
  std::uint32_t n_above = 0, n_equal = 0;
  for (std::size_t j = 0; j < lanes; ++j) {
    n_above += static_cast<std::uint32_t>(above[j]);
    n_equal += static_cast<std::uint32_t>(equal[j]);
  }
  for (; i < tile.n; ++i) {
    n_above += tile.logits[i] > target.logit ? 1u : 0u;
    n_equal += tile.logits[i] == target.logit ? 1u : 0u;
  }
  target.above += n_above;
  target.equal += n_equal;
}

struct tile_sums {
  vec plain = {};     // exp(x), x = z - maximum
  vec weighted = {};  // exp(x) x
  vec crossed = {};   // w (z - centre)
};

// Final: the weights w are the row's own exponentials, which are written out; else they are read.
// Whole: all lanes count, else the first n.
template <bool Final, bool Whole>
inline void add_vector(const float* logits, vec maximum, vec centre, float* final_weights, std::size_t n,
                       tile_sums& sums) {
  const vec z = Whole ? load(logits) : load_some(logits, n);
  vec x = z - maximum;
  const ivec low = x < splat(exp_lowest);
  x = low ? vec{} : x;
  vec e = exp_in_range(x);
  e = low ? vec{} : e;
  vec distance = z - centre;
  if constexpr (!Whole) {
    const ivec kept = first_lanes(n);
    e = kept ? e : vec{};
    x = kept ? x : vec{};
    distance = kept ? distance : vec{};
  }
  sums.plain += e;
  sums.weighted += e * x;
  if (final_weights == nullptr) return;
  vec w = e;
  if constexpr (Final) {
    Whole ? store(final_weights, e) : store_some(final_weights, e, n);
  } else {
    w = Whole ? load(final_weights) : load_some(final_weights, n);
  }
  sums.crossed += w * distance;
}

template <bool Final>
inline void add_tile(const logit_tile& tile, row_state& row) {
  const vec maximum = splat(row.maximum > -__builtin_inff() ? row.maximum : 0.0f), centre = splat(row.centre);
  tile_sums sums[4];
  const float* z = tile.logits;
  float* weights = tile.final_weights;
  const std::size_t step = weights == nullptr ? 0 : lanes;
  std::size_t left = tile.n;
  for (; left >= 4 * lanes; left -= 4 * lanes) {
#pragma GCC unroll 4
    for (std::size_t j = 0; j < 4; ++j, z += lanes, weights += step) {
      add_vector<Final, true>(z, maximum, centre, weights, lanes, sums[j]);
    }
  }
  for (; left >= lanes; left -= lanes, z += lanes, weights += step) {
    add_vector<Final, true>(z, maximum, centre, weights, lanes, sums[0]);
  }
  if (left > 0) add_vector<Final, false>(z, maximum, centre, weights, left, sums[1]);
  row.sum += sum_lanes((sums[0].plain + sums[1].plain) + (sums[2].plain + sums[3].plain));
  row.weighted += sum_lanes((sums[0].weighted + sums[1].weighted) + (sums[2].weighted + sums[3].weighted));
  row.crossed += sum_lanes((sums[0].crossed + sums[1].crossed) + (sums[2].crossed + sums[3].crossed));
}

// Raises the row's maximum to that of the tile and brings its sums to the new base.
inline void raise_maximum(float tile_max, row_state& row) {
  if (!(tile_max > row.maximum)) return;
  if (row.maximum > -__builtin_inff()) {
    const double drop = static_cast<double>(row.maximum) - static_cast<double>(tile_max);
    const double factor = __builtin_exp(drop);
    row.weighted = factor == 0 ? row.weighted * 0 : factor * (row.weighted + drop * row.sum);
    row.sum *= factor;
  }
  row.maximum = tile_max;
}

inline void reduce_tile(const logit_tile& tile, row_state& row) {
  const float tile_max = largest(tile.logits, tile.n);
  scan_top(tile, tile_max, row);
  const bool first = tile.first_id == 0;
  if (tile.kind == row_kind::top_only) {
    row.maximum = tile_max > row.maximum ? tile_max : row.maximum;
    return;
  }
  if (first && tile_max - tile_max == 0) row.centre = tile_max;
  raise_maximum(tile_max, row);
  for (std::uint32_t k = 0; k < row.n_targets; ++k) {
    if (tile_max >= row.targets[k].logit) count_target(tile, row.targets[k]);
  }
  if (tile.kind == row_kind::final) {
    add_tile<true>(tile, row);
  } else {
    add_tile<false>(tile, row);
  }
}

}  // namespace depthlens::cpu::DEPTHLENS_ISA
