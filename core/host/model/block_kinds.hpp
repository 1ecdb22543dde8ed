// SPDX-License-Identifier: Apache-2.0
// Which blocks of a model are of one kind: put together from the same parts, with weights of their own. What
// is seen in one of a kind holds for the others, but for their numbers (widths, windows, scales).
#pragma once

#include "depthlens/abi/backend.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace depthlens {

struct block_kind {
  std::vector<std::uint32_t> blocks;  // ascending
  std::string ops;                    // "attention, window, rope_half, ...": the names of abi/architecture.h
};

// A tensor of a block, "block.LAYER.PART" or "block.LAYER.expert.NUMBER.PART".
struct block_tensor {
  std::uint32_t layer = UINT32_MAX;  // or none
  std::string_view part;             // behind the layer
  bool is_expert = false;
};
block_tensor block_tensor_of(const dlens_tensor& t);

// In the order of their first blocks. The architecture is one that backends take.
std::vector<block_kind> block_kinds_of(const dlens_weights& weights);

}  // namespace depthlens
