// SPDX-License-Identifier: Apache-2.0
// Where a forest's states are changed, and which nodes a pack has besides its own for that: those that its
// sites are held against, and those whose states it copies, as both must be in the same pack.
#pragma once

#include "depthlens/backend/read_site.hpp"
#include "engine/asked_work.hpp"
#include "engine/packs.hpp"
#include "engine/prefix_forest.hpp"

#include <cstdint>
#include <span>
#include <vector>

namespace depthlens {

struct node_edit {
  std::int32_t node;
  const state_edit* edit;
  std::int32_t source;  // the node whose state is copied; -1 = the edit has a vector
};

struct edited_nodes {
  std::vector<node_edit> edits;       // by node
  std::vector<std::int32_t> against;  // (sites) the node whose final output stands for each; empty = its own

  // Of the edits behind what is needed of a sequence none is there. Views the work. Errors: status::internal
  // for edits and reads that asked_work does not allow.
  static edited_nodes find(const asked_work& work, const prefix_forest& forest,
                           std::span<const read_site> sites);

  std::span<const node_edit> at(std::int32_t node) const;
  // Nodes that the pack has neither itself nor among its ancestors, parents first. first_site: the number of
  // the first of its sites.
  std::vector<std::int32_t> missing(const pack& p, const prefix_forest& forest, std::size_t first_site,
                                    std::size_t n_sites) const;
};

// (B) as forest_rules says it; needed: (B) lengths of what is needed.
std::vector<std::uint32_t> first_edits(const asked_work& work,
                                       std::span<const std::span<const std::int32_t>> needed);

}  // namespace depthlens
