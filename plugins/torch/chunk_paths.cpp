// SPDX-License-Identifier: Apache-2.0
#include "chunk_paths.hpp"

#include "device.hpp"
#include "tree_parents.hpp"

#include <algorithm>
#include <cstddef>

namespace depthlens::torch_backend {

chunk_paths::chunk_paths(const token_tree& tree, std::size_t at_once, at::Device device)
    : tree_(tree), parent_(parents_of(tree)), device_(device) {
  for (const std::vector<path>& paths : paths_of_chunks()) add_groups(paths, at_once);
}

const at::Tensor& chunk_paths::ancestors(std::int64_t steps) const {
  at::Tensor& made = ancestors_[steps];
  if (made.defined()) return made;
  const auto n = static_cast<std::int64_t>(parent_.size());
  std::vector<std::int64_t> out(parent_.size() + 1, n);
  for (std::int64_t t = 0; t < n; ++t) {
    std::int64_t at = t;
    for (std::int64_t i = 0; i < steps && at >= 0; ++i) at = parent_[static_cast<std::size_t>(at)];
    if (at >= 0) out[static_cast<std::size_t>(t)] = at;
  }
  return made = to_device(out, device_);
}

// In tree order the path of a chunk that was kept last is the one that the tokens behind it continue.
std::vector<std::vector<chunk_paths::path>> chunk_paths::paths_of_chunks() const {
  const std::size_t n = parent_.size();
  std::vector<std::vector<path>> out((tree_.n_positions + chunk_positions - 1) / chunk_positions);
  std::vector<std::int64_t> n_kept(out.size());
  std::vector<std::int64_t> above;  // from position 0 on
  std::vector<bool> had(n);
  for (std::size_t t = 0; t < n; ++t) {
    const std::int64_t position = tree_.position[t], in_chunk = position % chunk_positions;
    above.resize(static_cast<std::size_t>(position));
    above.push_back(static_cast<std::int64_t>(t));
    const bool has_child = t + 1 < n && tree_.position[t + 1] > position;
    const bool ends_chunk = in_chunk + 1 == chunk_positions;
    if (has_child && !ends_chunk) continue;
    const auto chunk = static_cast<std::size_t>(position / chunk_positions);
    path made{.tokens = {above.end() - in_chunk - 1, above.end()},
              .from = chunk == 0 ? -1 : n_kept[chunk - 1] - 1,
              .kept = has_child,
              .n_fresh = 0};
    for (const std::int64_t token : made.tokens) {
      made.n_fresh += had[static_cast<std::size_t>(token)] ? 0 : 1;
      had[static_cast<std::size_t>(token)] = true;
    }
    if (has_child) ++n_kept[chunk];
    out[chunk].push_back(std::move(made));
  }
  return out;
}

void chunk_paths::add_groups(const std::vector<path>& paths, std::size_t at_once) {
  for (std::size_t begin = 0; begin < paths.size(); begin += at_once) {
    const std::size_t end = std::min(paths.size(), begin + at_once);
    std::size_t longest = 0;
    for (std::size_t i = begin; i < end; ++i) longest = std::max(longest, paths[i].tokens.size());
    std::vector<std::int64_t> tokens((end - begin) * longest, static_cast<std::int64_t>(parent_.size()));
    std::vector<std::int64_t> from, kept, fresh_tokens, fresh_places;
    for (std::size_t i = 0; i < end - begin; ++i) {
      const path& p = paths[begin + i];
      std::copy(p.tokens.begin(), p.tokens.end(), tokens.data() + i * longest);
      from.push_back(p.from);
      if (p.kept) kept.push_back(static_cast<std::int64_t>(i));
      for (std::size_t at = p.tokens.size() - p.n_fresh; at < p.tokens.size(); ++at) {
        fresh_tokens.push_back(p.tokens[at]);
        fresh_places.push_back(static_cast<std::int64_t>(i * longest + at));
      }
    }
    const std::int64_t n = static_cast<std::int64_t>(end - begin), width = static_cast<std::int64_t>(longest);
    groups_.push_back({.begins_chunk = begin == 0,
                       .tokens = to_device(tokens, device_).view({n, width}),
                       .from = from[0] < 0 ? at::Tensor() : to_device(from, device_),
                       .kept = kept.empty() ? at::Tensor() : to_device(kept, device_),
                       .fresh_tokens = to_device(fresh_tokens, device_),
                       .fresh_places = to_device(fresh_places, device_)});
  }
}

}  // namespace depthlens::torch_backend
