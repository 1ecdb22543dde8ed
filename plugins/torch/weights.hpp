// SPDX-License-Identifier: Apache-2.0
// A model's weights on one device: matrices in the precision asked for, vectors in float32; embedding rows
// are read from the mapped file as they are needed. What of it is in memory when: stages.hpp.
#pragma once

#include "linear.hpp"

#include "depthlens/abi/backend.h"
#include "depthlens/backend/block_parts.hpp"
#include "depthlens/backend/weight_view.hpp"

#include <ATen/ATen.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace depthlens::torch_backend {

// A norm over n values; without a weight it is absent, and changes nothing.
struct norm_weights {
  at::Tensor weight;  // (n), or (heads, n) with one for each head, the architecture's offset added
  at::Tensor bias;    // the same, undefined = none
  std::uint32_t kind = DLENS_NORM_RMS;
  double eps = 0;

  bool present() const { return weight.defined(); }
  std::int64_t width() const { return weight.size(-1); }
  // x (..., n), or (..., heads, n), of float32.
  at::Tensor apply(const at::Tensor& x) const;
};

using block_weights = block_parts<norm_weights, linear, linear, at::Tensor>;

// Tiles of the unembedding that are in memory together, and what for: to find the model's own top-1 of every
// site, to read all layers, or both one after the other. Several stages that share the vocabulary between
// them follow each other in its order.
struct readout_stage {
  bool finals = true, layers = true;
  bool again = false;  // layers once more, for stacks that were reduced against other values of their targets
  bool first = true, last = true;  // of the vocabulary
  std::size_t first_id = 0;
  // tile_ids rows of the unembedding each, the very last one the rest. On the CPU in float32 and packed.
  std::vector<linear> tiles;
};

struct model_weights {
  at::ScalarType type;      // of matrices, and what is rounded as they are
  weight_view embed;        // (V, embed_dim)
  weight_view position;     // (rows, D) or absent
  weight_view unembed;      // (V, embed_dim)
  at::Tensor unembed_bias;  // (V), undefined = none
  norm_weights embed_norm, final_norm;
  linear in_projection, out_projection;  // absent where embed_dim is D
  // Of layer inputs: (their vocabulary, n_layers P), (n_layers P, D), (P).
  weight_view layer_embed;
  linear layer_projection;
  norm_weights layer_embed_norm;
  std::vector<block_weights> blocks;    // (n_layers)
  std::vector<readout_stage> readouts;  // in the order in which they are gone through
};

// Rows of the matrix, (ids, D) float32 on the device, rounded to `type` and back. At a negative id a row of
// zeros.
at::Tensor rounded_rows(const weight_view& matrix, const std::vector<std::int64_t>& ids, at::ScalarType type,
                        at::Device device);

}  // namespace depthlens::torch_backend
