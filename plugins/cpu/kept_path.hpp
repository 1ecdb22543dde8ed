// SPDX-License-Identifier: Apache-2.0
// The keys and values of a path of tokens, kept for packs that continue it. A path that continues another one
// shares the other's memory, which lives as long as one of them does.
#pragma once

#include "workspace.hpp"

#include "depthlens/abi/backend.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

namespace depthlens::cpu {

struct kept_path {
  std::shared_ptr<const kept_path>
      continued;                     // holds positions 0..begin-1, perhaps more; null where begin is 0
  std::uint32_t begin = 0, end = 0;  // positions held here
  std::uint32_t first_layer = 0;     // of those held, which are the same in all that it continues
  float_buffer kv;                   // (layers held, end - begin, 2, KV heads * head_dim): keys, then values
};

// Keys and values of one layer for the positions begin..end-1.
struct kept_rows {
  std::uint32_t begin, end;
  const float* kv;  // (end - begin, 2, KV heads * head_dim)
};

// The first n positions of the path, in pieces. width: floats of a position.
inline std::vector<kept_rows> rows_of_layer(const kept_path* path, std::uint32_t n, std::uint32_t layer,
                                            std::size_t width) {
  std::vector<kept_rows> out;
  for (; n > 0; path = path->continued.get()) {
    if (path->begin >= n) continue;
    const std::size_t length = path->end - path->begin;
    out.push_back({path->begin, n, path->kv.data() + (layer - path->first_layer) * length * width});
    n = path->begin;
  }
  return out;
}

}  // namespace depthlens::cpu

struct dlens_prefix {
  std::shared_ptr<const depthlens::cpu::kept_path> path;
};
