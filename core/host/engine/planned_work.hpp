// SPDX-License-Identifier: Apache-2.0
// What is to be computed and read for some requests: the prefix forest of the needed parts of the sequences,
// the sites at its nodes that are read, and its packs.
#pragma once

#include "depthlens/backend/read_site.hpp"
#include "engine/evaluator.hpp"
#include "engine/packs.hpp"
#include "engine/prefix_forest.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace depthlens {

// The part of each sequence that is needed: nothing behind its last position read. Throws status::internal
// for a position outside its sequence. Views the sequences.
std::vector<std::span<const std::int32_t>> needed_parts(std::span<const std::vector<std::int32_t>> sequences,
                                                        std::span<const read_request> requests);

// (B) 1: a sequence of more than long_positions tokens, those behind its last position read included; empty
// where none is. long_positions: of the model, 0 = it has no other form for longer ones.
std::vector<std::uint8_t> long_forms(std::span<const std::vector<std::int32_t>> sequences,
                                     std::uint32_t long_positions);

struct planned_work {
  prefix_forest forest;
  std::vector<read_site> sites;  // by token, which is a node of the forest, in order; targets are distinct
  std::vector<pack> packs;
  evaluation_counts counts;

  // Throws what needed_parts throws.
  planned_work(std::span<const std::vector<std::int32_t>> sequences, std::span<const read_request> requests,
               const pack_rules& rules);

  std::span<const read_site> sites_of(const pack& p) const;
  std::vector<std::span<const pack>> waves() const;  // of the packs, in their order
};

}  // namespace depthlens
