// SPDX-License-Identifier: Apache-2.0
// A path is a token with all tokens before it, from position 0 on. Its keys and values can be kept for packs
// that continue it (`kept` in abi/backend.h), in all layers or in those of a stage. The kept path that a pack
// continues is the pack's prefix; what that pack keeps in turn holds its own tokens alone and shares the
// prefix, which lives as long as one needs it.
#pragma once

#include "workspace.hpp"

#include "depthlens/abi/backend.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

namespace depthlens::cpu {

struct kept_path {
  std::shared_ptr<const kept_path> prefix;  // holds positions 0..begin-1, perhaps more; null where begin is 0
  std::uint32_t begin = 0, end = 0;         // positions held here
  std::uint32_t first_layer = 0;            // of the layers held, which are those of its prefix
  float_buffer kv;  // (layers held, end - begin, 2, KV heads * head_dim): keys, then values
};

// Keys and values of one layer for the positions begin..end-1.
struct kept_rows {
  std::uint32_t begin, end;
  const float* kv;  // (end - begin, 2, KV heads * head_dim)
};

// Keys and values of the path's positions 0..n-1 in a layer: a piece for each kept path that holds some of
// them, last positions first. width: floats of a position.
inline std::vector<kept_rows> rows_of_layer(const kept_path* path, std::uint32_t n, std::uint32_t layer,
                                            std::size_t width) {
  std::vector<kept_rows> out;
  for (; n > 0; path = path->prefix.get()) {
    if (path->begin >= n) continue;
    const std::size_t length = path->end - path->begin;
    out.push_back({path->begin, n, path->kv.data() + (layer - path->first_layer) * length * width});
    n = path->begin;
  }
  return out;
}

}  // namespace depthlens::cpu

// What the host holds of a kept path.
struct dlens_prefix {
  std::shared_ptr<const depthlens::cpu::kept_path> path;
};
