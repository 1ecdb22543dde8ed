// SPDX-License-Identifier: Apache-2.0
// A model's weights as the backend holds them on one device: matrices in the precision asked for, vectors in
// float32.
#pragma once

#include "linear.hpp"

#include "depthlens/abi/backend.h"
#include "depthlens/backend/block_parts.hpp"

#include <ATen/ATen.h>

#include <cstdint>
#include <vector>

namespace depthlens::torch_backend {

// A norm over n values; without a weight it is absent.
struct norm_weights {
  at::Tensor weight;  // (n), the architecture's offset added
  at::Tensor bias;    // (n), undefined = none
  std::uint32_t kind = DLENS_NORM_RMS;
  double eps = 0;

  bool present() const { return weight.defined(); }
  std::int64_t width() const { return weight.size(0); }
  // x (..., n) of float32.
  at::Tensor apply(const at::Tensor& x) const;
};

using block_weights = block_parts<norm_weights, linear, linear>;

// Ids of a tile: the logits of a stack of rows and a tile stay in the second-level cache.
std::int64_t tile_ids(at::Device device);

struct model_weights {
  at::Tensor embed;         // (V, D)
  at::Tensor position;      // (rows, D), undefined = none
  at::Tensor unembed;       // (V, D)
  at::Tensor unembed_bias;  // (V), undefined = none
  // tile_ids rows of the unembedding each, the last one the rest: what rows of a readout are multiplied with.
  // On the CPU in float32 and packed, else parts of `unembed`.
  std::vector<linear> unembed_tiles;
  norm_weights final_norm;
  std::vector<block_weights> blocks;

  // Held in memory.
  std::size_t bytes() const;
  // A copy on a device.
  model_weights to(at::Device device) const;
  // Cuts the tiles and, on the CPU, packs the matrices for packs of about pack_tokens tokens, on up to
  // `threads` threads.
  void make_ready(std::int64_t pack_tokens, std::uint32_t threads);
};

// Weights in `type` on `device`. Quantised blocks are unpacked on the way. Errors: status::data with the
// tensor's name for one that is missing or has another shape than the architecture.
model_weights load_weights(const dlens_weights& given, at::ScalarType type, at::Device device,
                           std::uint32_t threads);

// One copy for each device, in their order. `loaded` lies on the last of them and becomes its copy, so that
// one device alone holds no more than one. Errors: status::internal for a copy that does not lie where it
// should.
std::vector<model_weights> copies_on(const std::vector<at::Device>& devices, model_weights loaded);

}  // namespace depthlens::torch_backend
