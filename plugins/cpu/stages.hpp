// SPDX-License-Identifier: Apache-2.0
// A model's weights as the stages that are in memory together (dlens_pass of abi/backend.h): stage i is block
// i, then come the tiles of the unembedding. Held weights have room for every stage and are loaded once; of
// streamed ones two stages have room, even ones in the first, odd ones in the second, and are loaded over and
// over. What is computed with them is the same.
#pragma once

#include "weights.hpp"

#include "depthlens/abi/backend.h"

#include <cstdint>
#include <vector>

namespace depthlens::cpu {

// What weights take, without loading them.
struct weight_needs {
  std::uint64_t held_bytes = 0, streamed_bytes = 0;
  std::uint32_t stages = 0;  // of streamed weights
};

// Errors: as those of weight_stages.
weight_needs needs_of(const dlens_weights& given, precision weights);

class weight_stages {
 public:
  // `shapes` must outlive it, and so must the tensors' data. Matrices have no values before they are loaded.
  // Errors: status::data with the tensor's name for one that is missing or has another shape than the
  // architecture.
  weight_stages(const dlens_weights& given, matmul_shapes& shapes, bool stream);

  // All of a block's or a readout's values are there once every part of its stage is loaded.
  const model_weights& weights() const { return weights_; }
  std::uint32_t count() const { return static_cast<std::uint32_t>(parts_.size()); }
  bool streamed() const { return streamed_; }
  std::uint64_t bytes() const { return bytes_; }  // in memory

  std::uint32_t parts(std::uint32_t stage) const { return static_cast<std::uint32_t>(parts_[stage].size()); }
  // Parts may be loaded at once.
  void load(std::uint32_t stage, std::uint32_t part, workspace& scratch);
  // All of it, by up to `threads` threads.
  void load_all(std::uint32_t threads);

 private:
  friend class stage_builder;
  void expect(std::uint32_t stage) const;

  // Outputs of a matrix that are loaded by one call, from the same rows of one or more tensors.
  struct part_of_matrix {
    packed_matrix* to;
    std::vector<weight_view> from;  // (rows, inputs) all
    row_range rows;                 // of each of them
    row_range outputs;              // of the matrix that they make, one below the other
  };

  model_weights weights_;
  std::vector<std::vector<part_of_matrix>> parts_;  // of each stage
  std::vector<float_buffer> rooms_;                 // of each stage, or two
  bool streamed_;
  std::uint64_t bytes_ = 0;
};

}  // namespace depthlens::cpu
