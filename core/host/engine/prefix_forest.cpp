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

prefix_forest build_forest(std::span<const std::span<const std::int32_t>> sequences) {
  std::vector<std::size_t> order(sequences.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return std::lexicographical_compare(sequences[a].begin(), sequences[a].end(), sequences[b].begin(),
                                        sequences[b].end());
  });

  prefix_forest f;
  f.last.assign(sequences.size(), -1);
  std::vector<std::int32_t> path;  // nodes of the previous sequence
  std::span<const std::int32_t> previous;
  for (const std::size_t b : order) {
    const auto ids = sequences[b];
    const auto shared = static_cast<std::size_t>(
        std::mismatch(previous.begin(), previous.end(), ids.begin(), ids.end()).second - ids.begin());
    path.resize(shared);
    for (std::size_t i = shared; i < ids.size(); ++i) {
      f.token.push_back(ids[i]);
      f.parent.push_back(i == 0 ? -1 : path.back());
      f.position.push_back(static_cast<std::int32_t>(i));
      path.push_back(static_cast<std::int32_t>(f.token.size() - 1));
    }
    if (!path.empty()) f.last[b] = path.back();
    previous = ids;
  }
  return f;
}

namespace {

// Where to end a pack that starts at `begin`: the shallowest node of the second half of the wished size; further on,
// if even that one lies so deep that most of the next pack would be ancestors.
std::int32_t choose_end(const prefix_forest& f, std::int32_t begin, std::int32_t tokens) {
  const auto n = static_cast<std::int32_t>(f.size());
  if (n - begin <= tokens + tokens / 4) return n;
  std::int32_t best = begin + tokens;
  for (std::int32_t i = begin + tokens / 2; i <= begin + tokens; ++i)
    if (f.position[i] <= f.position[best]) best = i;
  const std::int32_t shallow = tokens / 4;
  const std::int32_t limit = std::min(n, begin + 8 * tokens);
  while (best < limit && f.position[best] > shallow) ++best;
  return best;
}

}  // namespace

std::vector<pack> cut_packs(const prefix_forest& f, std::size_t tokens) {
  std::vector<pack> packs;
  const auto n = static_cast<std::int32_t>(f.size());
  const auto wished = static_cast<std::int32_t>(std::max<std::size_t>(tokens, 16));
  for (std::int32_t begin = 0; begin < n;) {
    pack p{begin, choose_end(f, begin, wished), {}};
    for (std::int32_t a = f.parent[begin]; a >= 0; a = f.parent[a]) p.ancestors.push_back(a);
    std::reverse(p.ancestors.begin(), p.ancestors.end());
    begin = p.end;
    packs.push_back(std::move(p));
  }
  return packs;
}

}  // namespace depthlens
