// SPDX-License-Identifier: Apache-2.0
// A tree of tokens as the paths that a delta rule goes along (delta_rule.hpp): positions are cut into chunks
// of 64 from position 0 on, and there is a path for each token that ends one, by its position or as the last
// of a text. A path runs from the chunk's first position to that token; a branch within a chunk repeats what
// is before it there, so that every path begins with a state at a chunk's start, that of the path which it
// continues.
#pragma once

#include "depthlens/backend/token_tree.hpp"

#include <ATen/ATen.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

namespace depthlens::torch_backend {

constexpr std::int64_t chunk_positions = 64;

// Paths of one chunk that are computed together. Indices, on the device.
struct path_group {
  bool begins_chunk;        // the first group of its chunk
  at::Tensor tokens;        // (paths, longest) in tree order, T behind the end of a path
  at::Tensor from;          // (paths) among the states kept of the chunk before, undefined in the first chunk
  at::Tensor kept;          // (kept) the paths that others continue, undefined = none
  at::Tensor fresh_tokens;  // (n) the tokens that no path before has, in tree order
  at::Tensor fresh_places;  // (n) where in `tokens` they stand
};

// One thread.
class chunk_paths {
 public:
  // at_once: most paths of a group. `tree` outlives it.
  chunk_paths(const token_tree& tree, std::size_t at_once, at::Device device);

  // In the order of positions; states of a chunk are kept in the order of its groups.
  const std::vector<path_group>& groups() const { return groups_; }
  // (T + 1) each token's ancestor so many tokens before it, T where there is none.
  const at::Tensor& ancestors(std::int64_t steps) const;

 private:
  struct path {
    std::vector<std::int64_t> tokens;
    std::int64_t from;  // -1: of the first chunk
    bool kept;
    std::size_t n_fresh;  // its last ones
  };
  std::vector<std::vector<path>> paths_of_chunks() const;
  void add_groups(const std::vector<path>& paths, std::size_t at_once);

  const token_tree& tree_;
  const std::vector<std::int64_t> parent_;
  const at::Device device_;
  std::vector<path_group> groups_;
  mutable std::map<std::int64_t, at::Tensor> ancestors_;  // made when they are asked for
};

}  // namespace depthlens::torch_backend
