// SPDX-License-Identifier: Apache-2.0
#include "engine/prefix_forest.hpp"

#include <algorithm>
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
  std::vector<std::size_t> order(sequences.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    if (form(a) != form(b)) return form(a) < form(b);
    return std::lexicographical_compare(sequences[a].begin(), sequences[a].end(), sequences[b].begin(),
                                        sequences[b].end());
  });

  prefix_forest f;
  f.last.assign(sequences.size(), -1);
  std::vector<std::int32_t> path;  // nodes of the previous sequence
  std::span<const std::int32_t> previous;
  std::uint8_t previous_form = 0;
  for (const std::size_t b : order) {
    const auto ids = sequences[b];
    const auto alike = std::mismatch(previous.begin(), previous.end(), ids.begin(), ids.end());
    const bool shares = rules.share && form(b) == previous_form;
    const auto shared = shares ? static_cast<std::size_t>(alike.second - ids.begin()) : 0;
    path.resize(shared);
    for (std::size_t i = shared; i < ids.size(); ++i) {
      f.token.push_back(ids[i]);
      f.parent.push_back(i == 0 ? -1 : path.back());
      f.position.push_back(static_cast<std::int32_t>(i));
      path.push_back(static_cast<std::int32_t>(f.token.size() - 1));
    }
    if (!path.empty()) f.last[b] = path.back();
    previous = ids;
    previous_form = form(b);
    if (previous_form == 0) f.long_begin = static_cast<std::int32_t>(f.size());
  }
  return f;
}

}  // namespace depthlens
