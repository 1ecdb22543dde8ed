// SPDX-License-Identifier: Apache-2.0
// A path is a token with all tokens before it, from position 0 on. What later tokens need of it can be kept
// for packs that continue it (`kept` in abi/backend.h), in all layers or in those of a stage. The kept path
// that a pack continues is the pack's prefix; what that pack keeps in turn holds its own tokens alone and
// shares the prefix, which lives as long as one needs it.
#pragma once

#include "workspace.hpp"

#include "depthlens/abi/backend.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

namespace depthlens::cpu {

// Positions between two states of a delta rule: they are those at multiples of this.
constexpr std::uint32_t state_step = 64;

// What a layer holds of each position, and for a delta rule the states at the multiples of state_step behind
// begin, up to end. widths.hpp says how wide they are.
struct kept_layer {
  float_buffer rows;    // (end - begin, row)
  float_buffer states;  // (multiples, state)
};

struct kept_path {
  std::shared_ptr<const kept_path> prefix;  // holds positions 0..begin-1, perhaps more; null where begin is 0
  std::uint32_t begin = 0, end = 0;         // positions held here
  std::uint32_t first_layer = 0;            // of the layers held, which are those of its prefix
  std::vector<kept_layer> layers;

  const kept_layer& layer(std::uint32_t number) const { return layers[number - first_layer]; }
};

// Rows of one layer for the positions begin..end-1.
struct kept_rows {
  std::uint32_t begin, end;
  const float* rows;  // (end - begin, width)
};

// Rows of the path's positions 0..n-1 in a layer: a piece for each kept path that holds some of them, last
// positions first.
inline std::vector<kept_rows> rows_of_layer(const kept_path* path, std::uint32_t n, std::uint32_t layer) {
  std::vector<kept_rows> out;
  for (; n > 0; path = path->prefix.get()) {
    if (path->begin >= n) continue;
    out.push_back({path->begin, n, path->layer(layer).rows.data()});
    n = path->begin;
  }
  return out;
}

// The state of a layer's delta rule before position `at`, a multiple of state_step above 0 that the path
// holds. size: floats of a state.
inline const float* state_of_layer(const kept_path* path, std::uint32_t at, std::uint32_t layer,
                                   std::size_t size) {
  while (path->begin >= at) path = path->prefix.get();
  const std::uint32_t first = path->begin / state_step + 1;
  return path->layer(layer).states.data() + (at / state_step - first) * size;
}

}  // namespace depthlens::cpu

// What the host holds of a kept path.
struct dlens_prefix {
  std::shared_ptr<const depthlens::cpu::kept_path> path;
};
