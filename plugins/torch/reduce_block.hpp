// SPDX-License-Identifier: Apache-2.0
// The reduction of a row of logits by a block of lanes, written once for GPUs and for a test on the host.
// Work goes in phases, Block::each: on a GPU every lane is a thread, with a barrier behind each phase; on the
// host the lanes of a phase run in turn. What lanes found is merged in a fixed order, so results do not
// depend on when a lane runs, and they are those of the cpu backend's reduce_tile up to the rounding of sums
// (plugins/kernels/reduce.hpp says what NaN and infinite logits give).
#pragma once

#include "depthlens/backend/row_state.hpp"
#include "depthlens/base/device_code.hpp"

#include <cmath>
#include <cstdint>

namespace depthlens::torch_backend {

constexpr int block_lanes = 256;
constexpr int lane_values = 16;  // of a segment, in a lane's registers
constexpr std::int64_t segment_values = block_lanes * lane_values;

// The logits (n) of the ids first_id.. of one row.
struct row_segment {
  const float* logits;
  std::int64_t n;  // at most segment_values
  std::int32_t first_id;
  row_kind kind;
  float* final_weights;  // (n): written by final, read by layer; NULL = no KL wanted
};

struct segment_sums {
  double plain, weighted, crossed;  // as row_state's
};

struct target_counts {
  std::uint32_t above, equal;
};

// Where the lanes of a block hand over what they found.
struct block_memory {
  float maximum[block_lanes];
  top_entry best[block_lanes];
  target_counts counts[block_lanes];
  segment_sums sums[block_lanes];
};

// Value i of lane is number i * block_lanes + lane of the segment: neighbours read neighbours.
struct lane_logits {
  float z[lane_values];
};

DEPTHLENS_DEVICE constexpr int place_of(int lane, int i) { return i * block_lanes + lane; }

DEPTHLENS_DEVICE constexpr float least() { return -__builtin_inff(); }

// The better of two entries: the larger logit, of equal ones the smaller id.
DEPTHLENS_DEVICE constexpr bool is_better(const top_entry& a, const top_entry& b) {
  return a.logit > b.logit || (a.logit == b.logit && a.id < b.id);
}

// What a logit must exceed to be among the row's top.
DEPTHLENS_DEVICE inline float bar_of(const row_state& row) {
  return row.n_top < row.top_k ? least() : row.top[row.top_k - 1].logit;
}

DEPTHLENS_DEVICE inline void insert_top(row_state& row, const top_entry& entry) {
  std::uint32_t at = row.n_top < row.top_k ? row.n_top++ : row.top_k - 1;
  for (; at > 0 && row.top[at - 1].logit < entry.logit; --at) row.top[at] = row.top[at - 1];
  row.top[at] = entry;
}

// Raises the row's maximum and brings its sums to the new base.
DEPTHLENS_DEVICE inline void raise_maximum(float segment_max, row_state& row) {
  if (!(segment_max > row.maximum)) return;
  if (row.maximum > least()) {
    const double drop = static_cast<double>(row.maximum) - static_cast<double>(segment_max);
    const double factor = exp(drop);
    row.weighted = factor == 0 ? row.weighted * 0 : factor * (row.weighted + drop * row.sum);
    row.sum *= factor;
  }
  row.maximum = segment_max;
}

// Merges values[1..] into values[0] of every lane's, in the order of a binary tree.
template <class Block, class Value, class Merge>
DEPTHLENS_DEVICE void fold(Block& block, Value* values, const Merge& merge) {
  for (int step = block_lanes / 2; step > 0; step /= 2) {
    block.each([&](int lane) {
      if (lane < step) merge(values[lane], values[lane + step]);
    });
  }
}

// Keeps the top_k largest, of equal ones those seen first: round by round the best that is left.
template <class Block, class Logits>
DEPTHLENS_DEVICE void take_top(Block& block, const row_segment& s, Logits& logits, row_state& row) {
  block_memory& m = block.memory();
  typename Block::template own<std::uint32_t> taken;  // a bit for each value of the lane
  block.each([&](int lane) { taken[lane] = 0; });
  for (std::uint32_t round = 0; round < row.top_k; ++round) {
    const float bar = bar_of(row);
    block.each([&](int lane) {
      top_entry best{bar, INT32_MAX};
      for (int i = 0; i < lane_values && place_of(lane, i) < s.n; ++i) {
        const float z = logits[lane].z[i];
        if ((taken[lane] >> i & 1u) == 0 && z > best.logit) best = {z, s.first_id + place_of(lane, i)};
      }
      m.best[lane] = best;
    });
    fold(block, m.best, [](top_entry& a, const top_entry& b) {
      if (is_better(b, a)) a = b;
    });
    if (!(m.best[0].logit > bar)) return;
    block.each([&](int lane) {
      const int place = m.best[0].id - s.first_id;
      if (place % block_lanes == lane) taken[lane] |= 1u << place / block_lanes;
      if (lane == 0) insert_top(row, m.best[0]);
    });
  }
}

template <class Block, class Logits>
DEPTHLENS_DEVICE void count_target(Block& block, const row_segment& s, Logits& logits, target_state& target) {
  block_memory& m = block.memory();
  const float wanted = target.logit;
  block.each([&](int lane) {
    target_counts found{0, 0};
    for (int i = 0; i < lane_values && place_of(lane, i) < s.n; ++i) {
      found.above += logits[lane].z[i] > wanted ? 1u : 0u;
      found.equal += logits[lane].z[i] == wanted ? 1u : 0u;
    }
    m.counts[lane] = found;
  });
  fold(block, m.counts, [](target_counts& a, const target_counts& b) {
    a.above += b.above;
    a.equal += b.equal;
  });
  block.each([&](int lane) {
    if (lane != 0) return;
    target.above += m.counts[0].above;
    target.equal += m.counts[0].equal;
  });
}

// A lane sums its few values in float, lanes are joined in double.
DEPTHLENS_DEVICE inline segment_sums sum_lane(int lane, const row_segment& s, const lane_logits& logits,
                                              float base, float centre) {
  constexpr float exp_lowest = -87.33f;  // exp of less is not a normal float
  float plain = 0, weighted = 0, crossed = 0;
  for (int i = 0; i < lane_values && place_of(lane, i) < s.n; ++i) {
    const float z = logits.z[i], distance = z - base;
    const bool low = distance < exp_lowest;
    const float x = low ? 0.0f : distance, e = low ? 0.0f : expf(distance);
    plain += e;
    weighted += e * x;
    if (s.final_weights == nullptr) continue;
    float& weight = s.final_weights[place_of(lane, i)];
    if (s.kind == row_kind::final) weight = e;
    crossed += weight * (z - centre);
  }
  return {plain, weighted, crossed};
}

template <class Block, class Logits>
DEPTHLENS_DEVICE void add_sums(Block& block, const row_segment& s, Logits& logits, row_state& row) {
  block_memory& m = block.memory();
  const float base = row.maximum > least() ? row.maximum : 0.0f, centre = row.centre;
  block.each([&](int lane) { m.sums[lane] = sum_lane(lane, s, logits[lane], base, centre); });
  fold(block, m.sums, [](segment_sums& a, const segment_sums& b) {
    a.plain += b.plain;
    a.weighted += b.weighted;
    a.crossed += b.crossed;
  });
  block.each([&](int lane) {
    if (lane != 0) return;
    row.sum += m.sums[0].plain;
    row.weighted += m.sums[0].weighted;
    row.crossed += m.sums[0].crossed;
  });
}

// Adds a segment to what is known of its row. All lanes take part; lane 0 writes the row.
template <class Block>
DEPTHLENS_DEVICE void reduce_segment(Block& block, const row_segment& s, row_state& row) {
  block_memory& m = block.memory();
  typename Block::template own<lane_logits> logits;
  block.each([&](int lane) {
    float highest = least();  // a NaN is passed over
    for (int i = 0; i < lane_values && place_of(lane, i) < s.n; ++i) {
      const float z = s.logits[place_of(lane, i)];
      logits[lane].z[i] = z;
      highest = z > highest ? z : highest;
    }
    m.maximum[lane] = highest;
  });
  fold(block, m.maximum, [](float& a, const float& b) { a = b > a ? b : a; });
  const float highest = m.maximum[0];
  if (row.top_k > 0 && highest > bar_of(row)) take_top(block, s, logits, row);
  if (s.kind == row_kind::top_only) {
    block.each([&](int lane) {
      if (lane == 0 && highest > row.maximum) row.maximum = highest;
    });
    return;
  }
  for (std::uint32_t k = 0; k < row.n_targets; ++k) {
    if (highest >= row.targets[k].logit) count_target(block, s, logits, row.targets[k]);
  }
  block.each([&](int lane) {
    if (lane != 0) return;
    if (s.first_id == 0 && highest - highest == 0) row.centre = highest;
    raise_maximum(highest, row);
  });
  add_sums(block, s, logits, row);
}

}  // namespace depthlens::torch_backend
