// SPDX-License-Identifier: Apache-2.0
// For backends: how many numbers the matrices of a model's blocks hold, from the shapes of its tensors.
#pragma once

#include "depthlens/backend/block_parts.hpp"
#include "depthlens/backend/tensor_set.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>

namespace depthlens {

struct block_sizes {
  std::uint64_t all = 0, largest = 0;  // of all blocks together, and of the largest one
  std::uint64_t largest_matrix = 0;    // maps that are stacked count as one
  std::uint64_t widest_input = 0;      // of a matrix

  // Errors: status::data as those of tensor_set, for a tensor that is missing or has another shape.
  block_sizes(const tensor_set& tensors, const owned_architecture& arch) {
    for (std::uint32_t layer = 0; layer < arch.n_layers(); ++layer) {
      struct norm {};
      struct map {};
      struct inner {};
      struct vector {};
      block_parts<norm, map, inner, vector> nothing;
      counter block;
      load_block(nothing, tensors, arch, layer, block);
      all += block.numbers;
      largest = std::max(largest, block.numbers);
      largest_matrix = std::max(largest_matrix, block.largest);
      widest_input = std::max(widest_input, block.widest);
    }
  }

 private:
  // Adds up what load_block asks for.
  struct counter {
    std::uint64_t numbers = 0, largest = 0, widest = 0;

    template <class Norm>
    void load(Norm&, const std::string&, const norm_form&) {}
    template <class Vector>
    void load(Vector&, const std::string&, std::size_t) {}
    template <class Vector>
    void load_matrix(Vector&, const std::string&, std::size_t, std::size_t) {}
    template <class Map>
    void load(Map&, const stacked_tensors& from) {
      const std::uint64_t n = std::uint64_t{from.names.size()} * from.rows * from.inputs;
      numbers += n;
      largest = std::max(largest, n);
      widest = std::max<std::uint64_t>(widest, from.inputs);
    }
  };
};

}  // namespace depthlens
