// SPDX-License-Identifier: Apache-2.0
// The least work that the results of a run need, in flop, where a multiply-add is two: every distinct prefix
// once, the last block beyond its keys and values only where something is read, every reading's row of logits
// once. What a backend executes is more, by what it computes twice or fills up.
#pragma once

#include "depthlens/model/model_files.hpp"
#include "engine/prefix_forest.hpp"
#include "model/opened_lens.hpp"

#include <cstdint>
#include <span>

namespace depthlens {

struct useful_work {
  double blocks = 0;     // 2 x weights used, of the blocks, over tokens
  double readout = 0;    // 2 D V for each row of logits, and the matrices that lenses apply
  double attention = 0;  // scores and sums over values; stated apart

  double products() const { return blocks + readout; }
  useful_work& operator+=(const useful_work& other);
};

// Rows of logits that one read position takes: the final output and every other (layer, lens) pair, where
// layers that lenses read untransported count once; and how many of them a (D, D) matrix makes.
struct rows_per_site {
  std::uint64_t logits = 0, matrices = 0;
};
rows_per_site rows_of(std::span<const opened_lens> lenses, std::uint32_t n_layers);

// reads: nodes of the forest, each once.
useful_work work_needed(const model_files& files, const prefix_forest& forest,
                        std::span<const std::int32_t> reads, const rows_per_site& rows);

}  // namespace depthlens
