// SPDX-License-Identifier: Apache-2.0
// A model's weights as the stages that are in memory together (dlens_pass of abi/backend.h), on every device:
// stage i is block i, then come the tiles of the unembedding. Held weights are loaded once, all stages. Of
// streamed ones two stages are there at a time, an even and an odd one, and are loaded over and over. What is
// computed with them is the same.
#pragma once

#include "arrivals.hpp"
#include "model_sizes.hpp"
#include "upload.hpp"
#include "weights.hpp"

#include "depthlens/abi/backend.h"
#include "depthlens/backend/checked_architecture.hpp"

#include <ATen/ATen.h>

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

namespace depthlens::torch_backend {

// The place of a model on these devices; devices are of one kind. Free memory is asked for on GPUs.
model_place place_on(const std::vector<at::Device>& devices, at::ScalarType type);

class weight_stages {
 public:
  // The tensors' data must outlive it. Afterwards vectors are there, and the matrices outside of blocks
  // but for the unembedding; the others are when they are loaded. Errors:
  // status::data with the tensor's name for one that is missing or has another shape than the architecture.
  weight_stages(const dlens_weights& given, const owned_architecture& arch,
                const std::vector<at::Device>& devices, at::ScalarType type, bool stream);
  weight_stages(const weight_stages&) = delete;
  weight_stages& operator=(const weight_stages&) = delete;

  // Of a device. All of a block's or a readout's matrices are there once every part of its stage is loaded.
  const model_weights& weights(std::size_t device) const { return copies_[device]->weights; }
  std::uint32_t count() const { return static_cast<std::uint32_t>(parts_.size()); }
  bool streamed() const { return streamed_; }
  std::uint64_t bytes() const;  // of matrices, in memory, on all devices

  // A part is a matrix on a device.
  std::uint32_t parts(std::uint32_t stage) const;
  // Loads a part, in place of what is there of another stage with stages streamed. Parts may be loaded at
  // once, by any threads. Of a GPU it returns while the matrix is on its way.
  void load(std::uint32_t stage, std::uint32_t part);
  // All of it, by up to `threads` threads; waits until it has arrived.
  void load_all(std::uint32_t threads);
  // What this thread asks of the device from now on comes after the stage's arrival there.
  void wait_for(std::uint32_t stage, std::size_t device) const { copies_[device]->coming.wait_for(stage); }

 private:
  friend class stage_builder;
  // One matrix, the same on all devices.
  struct matrix_part {
    std::vector<linear*> to;        // by device
    std::vector<at::Tensor> bias;   // by device
    std::vector<weight_view> from;  // (rows, inputs) all
    row_range rows;                 // of each of them
    bool widened;                   // to float32, when it has been rounded

    std::uint64_t bytes(at::ScalarType type) const;
  };
  struct copy {
    at::Device device;
    model_weights weights;
    mutable arrivals coming;
  };

  void make_room(std::uint32_t stage);
  std::uint64_t bytes_of(std::uint32_t stage) const;

  const bool streamed_;
  std::vector<std::unique_ptr<copy>> copies_;
  std::vector<std::vector<matrix_part>> parts_;  // of each stage
  std::mutex room_guard_;
  std::array<std::uint32_t, 2> in_room_;  // the stages that are there, even and odd
};

}  // namespace depthlens::torch_backend
