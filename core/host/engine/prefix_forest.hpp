// SPDX-License-Identifier: Apache-2.0
// The distinct prefixes of many token sequences, as a forest in depth-first order, and its division into packs.
// Every distinct prefix is one node; what is read at a node is read once, whoever asked for it.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace depthlens {

struct prefix_forest {
  // (N) nodes in depth-first order of the sorted sequences: a parent precedes its children, a subtree is contiguous.
  std::vector<std::int32_t> token;
  std::vector<std::int32_t> parent;    // -1 = root
  std::vector<std::int32_t> position;  // number of ancestors
  // (B) the node of each sequence's last token; -1 for an empty sequence
  std::vector<std::int32_t> last;

  std::size_t size() const { return token.size(); }
  // The node at `position` of sequence b.
  std::int32_t node(std::size_t b, std::uint32_t position_wanted) const;
};

prefix_forest build_forest(std::span<const std::span<const std::int32_t>> sequences);

// Nodes begin..end-1 and the ancestors of `begin` that lie before it: every ancestor a pack needs.
struct pack {
  std::int32_t begin, end;
  std::vector<std::int32_t> ancestors;  // from the root down
  std::size_t size() const { return ancestors.size() + static_cast<std::size_t>(end - begin); }
};

// Packs of about `tokens` nodes, cut where few ancestors have to be computed again. Results do not depend on the cuts.
std::vector<pack> cut_packs(const prefix_forest& forest, std::size_t tokens);

}  // namespace depthlens
