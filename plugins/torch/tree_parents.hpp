// SPDX-License-Identifier: Apache-2.0
// The parents of tokens in tree order.
#pragma once

#include "depthlens/backend/token_tree.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace depthlens::torch_backend {

// (T), -1 where a token has none.
inline std::vector<std::int64_t> parents_of(const token_tree& tree) {
  std::vector<std::int64_t> parent(tree.position.size()), path;
  for (std::size_t t = 0; t < parent.size(); ++t) {
    const auto depth = static_cast<std::size_t>(tree.position[t]);
    parent[t] = depth == 0 ? -1 : path[depth - 1];
    path.resize(depth);
    path.push_back(static_cast<std::int64_t>(t));
  }
  return parent;
}

}  // namespace depthlens::torch_backend
