// SPDX-License-Identifier: Apache-2.0
// The division of a prefix forest into packs, one for each forward call. A pack is a stretch of the
// depth-first order, so all of its nodes hang under the ancestors of its first one, and all that later packs
// need of it is one path. That path is kept (keys and values) and continued by those packs, as far as the
// memory for it goes; beyond, ancestors are computed again. Where weights are streamed, packs follow each
// other in waves that have no kept path in common.
#pragma once

#include "engine/pack_rules.hpp"
#include "engine/prefix_forest.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace depthlens {

// Nodes begin..end-1, and how they come to their ancestors.
struct pack {
  std::int32_t begin, end;
  std::uint32_t wave = 0;
  std::int32_t prefix = -1;             // number, in its wave, of the pack whose kept path this one continues
  std::int32_t prefix_length = 0;       // ancestors of `begin` that lie on that path
  std::vector<std::int32_t> ancestors;  // the others, computed again, from the top down
  std::vector<std::int32_t> besides;    // nodes before `begin` that its reads or edits need, parents first
  std::int32_t keep = -1;               // the node whose path is kept for later packs
  std::size_t kept_tokens = 0;          // tokens which that adds to the memory
  double weight = 0;                    // of its nodes
  std::uint64_t state_bytes = 0;        // of its tokens and of what is read of them
  std::size_t size() const {
    return ancestors.size() + besides.size() + static_cast<std::size_t>(end - begin);
  }
};

// Of the rules it takes all but read_weight and sharing. Packs are in order of their waves.
// weight: (N) what a node costs; empty = each costs 1. reads: (N) 1 where a node is read, which takes memory;
// empty = nowhere. Results do not depend on the cuts.
std::vector<pack> cut_packs(const prefix_forest& forest, const pack_rules& rules,
                            std::span<const double> weight = {}, std::span<const char> reads = {});

}  // namespace depthlens
