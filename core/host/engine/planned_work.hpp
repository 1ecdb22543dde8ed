// SPDX-License-Identifier: Apache-2.0
// What is to be computed and read for some wishes: the prefix forest of the needed parts of the sequences,
// the reads at its nodes, and its packs.
#pragma once

#include "engine/evaluator.hpp"
#include "engine/packs.hpp"
#include "engine/prefix_forest.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace depthlens {

// Wishes gathered by node: targets united, and who is waiting.
struct node_wishes {
  std::int32_t node;
  std::vector<std::int32_t> targets;
  std::vector<std::size_t> waiting;
};

struct planned_work {
  prefix_forest forest;
  std::vector<node_wishes> reads;  // in order of node
  std::vector<pack> packs;
  evaluation_counts counts;

  // Throws status::internal for a position outside its sequence.
  planned_work(std::span<const std::vector<std::int32_t>> sequences, std::span<const read_wish> wishes,
               const work_rules& rules);

  std::span<const node_wishes> reads_of(const pack& p) const;
};

}  // namespace depthlens
