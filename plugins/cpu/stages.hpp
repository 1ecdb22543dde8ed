// SPDX-License-Identifier: Apache-2.0
// A model's weights as the stages that are in memory together (dlens_pass of abi/backend.h): stage i is block
// i, then come the tiles of the unembedding. Held weights have room for every stage and are loaded once; of
// streamed ones two stages have room, even ones in the first, odd ones in the second, and are loaded over and
// over. What is computed with them is the same.
#pragma once

#include "weights.hpp"

#include "depthlens/abi/backend.h"
#include "depthlens/backend/tensor_set.hpp"

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

namespace depthlens::cpu {

// What weights take, without loading them.
struct weight_needs {
  std::uint64_t held_bytes = 0, streamed_bytes = 0;
  std::uint64_t widest_input = 0;  // of a matrix
  std::uint32_t stages = 0;        // of streamed weights
};

// Errors: as those of weight_stages.
weight_needs needs_of(const dlens_weights& given, const owned_architecture& arch, precision weights);

class weight_stages {
 public:
  // `shapes` must outlive it, and so must the tensors' data. Matrices have no values before they are loaded.
  // Errors: status::data with the tensor's name for one that is missing or has another shape than the
  // architecture.
  weight_stages(const dlens_weights& given, const owned_architecture& arch, matmul_shapes& shapes,
                bool stream);

  // All of a block's or a readout's values are there once every part of its stage is loaded.
  const model_weights& weights() const { return weights_; }
  std::uint32_t count() const { return static_cast<std::uint32_t>(parts_.size()); }
  bool streamed() const { return streamed_; }
  std::uint64_t bytes() const { return bytes_; }  // in memory

  std::uint32_t parts(std::uint32_t stage) const { return static_cast<std::uint32_t>(parts_[stage].size()); }
  // Parts may be loaded at once.
  void load(std::uint32_t stage, std::uint32_t part, workspace& scratch);
  // Loads an expert of a block whose stage is loaded, if it is not there yet: experts of streamed weights
  // come when they are first used. Thread-safe.
  void need_expert(std::uint32_t layer, std::size_t number, workspace& scratch);
  // All of it, by up to `threads` threads.
  void load_all(std::uint32_t threads);

 private:
  friend class stage_builder;
  // Outputs of a matrix that are loaded by one call, from the same rows of one or more tensors.
  struct part_of_matrix {
    packed_matrix* to;
    std::vector<weight_view> from;  // (rows, inputs) all
    row_range rows;                 // of each of them
    row_range outputs;              // of the matrix that they make, one below the other
  };

  // An expert of streamed weights: where its parts are, and in which loading of its stage it came last.
  struct lazy_expert {
    std::vector<part_of_matrix> parts;
    std::mutex loading;
    std::atomic<std::uint64_t> came{0};
  };

  void load_fixed(const tensor_set& tensors, const owned_architecture& arch, matmul_shapes& shapes);
  void expect(std::uint32_t stage) const;
  void load_part(const part_of_matrix& part, workspace& scratch) const;

  model_weights weights_;
  std::vector<std::vector<part_of_matrix>> parts_;                  // of each stage, without lazy experts
  std::vector<std::vector<std::unique_ptr<lazy_expert>>> experts_;  // of each block; empty where held
  std::vector<std::atomic<std::uint64_t>> loadings_;                // of each block's stage, so far
  std::vector<float_buffer> rooms_;                                 // of each stage, or two
  bool streamed_;
  std::uint64_t bytes_ = 0;
};

}  // namespace depthlens::cpu
