// SPDX-License-Identifier: Apache-2.0
// The distinct prefixes of many token sequences, as a forest in depth-first order. Every distinct prefix is
// one node; what is read at a node is read once, whoever asked for it.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace depthlens {

struct prefix_forest {
  // (N) nodes in depth-first order of the sorted sequences: a parent precedes its children, a subtree is
  // contiguous.
  std::vector<std::int32_t> token;
  std::vector<std::int32_t> parent;    // -1 = root
  std::vector<std::int32_t> position;  // number of ancestors
  // (B) the node of each sequence's last token; -1 for an empty sequence
  std::vector<std::int32_t> last;

  std::size_t size() const { return token.size(); }
  // The node at `position` of sequence b.
  std::int32_t node(std::size_t b, std::uint32_t position_wanted) const;
};

// share = false: every sequence has nodes of its own, whatever it has in common with others.
prefix_forest build_forest(std::span<const std::span<const std::int32_t>> sequences, bool share = true);

}  // namespace depthlens
