// SPDX-License-Identifier: Apache-2.0
// What is to be computed and read for some requests: the prefix forest of the needed parts of the sequences,
// the sites at its nodes that are read, and its packs.
#pragma once

#include "depthlens/backend/read_site.hpp"
#include "engine/asked_work.hpp"
#include "engine/edited_nodes.hpp"
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
  edited_nodes changed;
  evaluation_counts counts;

  // Views the work. Throws what needed_parts and edited_nodes::find throw.
  planned_work(const asked_work& work, const pack_rules& rules);

  std::span<const read_site> sites_of(const pack& p) const;
  // The node whose final output stands for the site's own; -1 = its own.
  std::int32_t against(const read_site& site) const {
    return changed.against.empty() ? -1 : changed.against[static_cast<std::size_t>(&site - sites.data())];
  }
  std::vector<std::span<const pack>> waves() const;  // of the packs, in their order
};

}  // namespace depthlens
