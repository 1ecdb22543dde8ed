// SPDX-License-Identifier: Apache-2.0
#include "engine/prefix_forest.hpp"

#include <algorithm>
#include <cstdint>
#include <numeric>

namespace depthlens {

std::int32_t prefix_forest::node(std::size_t b, std::uint32_t position_wanted) const {
  std::int32_t n = last[b];
  while (position[n] > static_cast<std::int32_t>(position_wanted)) n = parent[n];
  return n;
}

prefix_forest build_forest(std::span<const std::span<const std::int32_t>> sequences,
                           const forest_rules& rules) {
  const auto form = [&](std::size_t b) -> std::uint8_t {
    return rules.is_long.empty() ? 0 : rules.is_long[b];
  };
  const auto own_from = [&](std::size_t b) -> std::size_t {
    return rules.own_from.empty() ? SIZE_MAX : rules.own_from[b];
  };
  const auto alike = [&](std::size_t a, std::size_t b) {
    const auto at =
        std::mismatch(sequences[a].begin(), sequences[a].end(), sequences[b].begin(), sequences[b].end());
    return static_cast<std::size_t>(at.first - sequences[a].begin());
  };
  std::vector<std::size_t> order(sequences.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    if (form(a) != form(b)) return form(a) < form(b);
    const std::size_t n = alike(a, b), own = std::min(own_from(a), own_from(b));
    if (own >= n) {
      const bool a_ends = n == sequences[a].size(), b_ends = n == sequences[b].size();
      return a_ends || b_ends ? a_ends && !b_ends : sequences[a][n] < sequences[b][n];
    }
    // The same tokens, one of them changed: the plain one first.
    if (own_from(a) != own_from(b)) return own_from(a) > own_from(b);
    return a < b;
  });

  prefix_forest f;
  f.last.assign(sequences.size(), -1);
  std::vector<std::int32_t> path;  // nodes of the previous sequence
  std::uint8_t previous_form = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    const std::size_t b = order[i];
    const auto ids = sequences[b];
    const bool shares = rules.share && i > 0 && form(b) == previous_form;
    path.resize(shares ? std::min({alike(order[i - 1], b), own_from(order[i - 1]), own_from(b)}) : 0);
    for (std::size_t at = path.size(); at < ids.size(); ++at) {
      f.token.push_back(ids[at]);
      f.parent.push_back(at == 0 ? -1 : path.back());
      f.position.push_back(static_cast<std::int32_t>(at));
      path.push_back(static_cast<std::int32_t>(f.token.size() - 1));
    }
    if (!path.empty()) f.last[b] = path.back();
    previous_form = form(b);
    if (previous_form == 0) f.long_begin = static_cast<std::int32_t>(f.size());
  }
  return f;
}

}  // namespace depthlens
