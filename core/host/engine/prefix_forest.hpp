// SPDX-License-Identifier: Apache-2.0
// The distinct prefixes of many token sequences, as a forest in depth-first order. Every distinct prefix is
// one node; what is read at a node is read once, whoever asked for it.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace depthlens {

struct prefix_forest {
  // (N) nodes in depth-first order of the sequences, sorted by form, then by tokens: a parent precedes its
  // children, a subtree is contiguous.
  std::vector<std::int32_t> token;
  std::vector<std::int32_t> parent;    // -1 = root
  std::vector<std::int32_t> position;  // number of ancestors
  // Nodes from this one on are of sequences of the long form, see forest_rules.
  std::int32_t long_begin = 0;
  // (B) the node of each sequence's last token; -1 for an empty sequence
  std::vector<std::int32_t> last;

  std::size_t size() const { return token.size(); }
  bool is_long(std::int32_t n) const { return n >= long_begin; }
  // The node at `position` of sequence b.
  std::int32_t node(std::size_t b, std::uint32_t position_wanted) const;
};

struct forest_rules {
  bool share = true;  // false: every sequence has nodes of its own, whatever it has in common with others
  // (B) 1: a sequence of the long form, whose tokens have other states than those of the short one (see
  // long_positions of dlens_architecture), so that only sequences of one form share nodes; empty = none is.
  std::span<const std::uint8_t> is_long = {};
  // (B) the position from which on a sequence has nodes of its own, as its states are changed there; empty =
  // no sequence has. Its nodes come behind those of plain sequences with the same tokens.
  std::span<const std::uint32_t> own_from = {};
};

prefix_forest build_forest(std::span<const std::span<const std::int32_t>> sequences,
                           const forest_rules& rules = {});

}  // namespace depthlens
