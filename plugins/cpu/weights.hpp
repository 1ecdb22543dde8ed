// SPDX-License-Identifier: Apache-2.0
// A model's weights as products and norms take them: matrices dequantised to float32 or bf16 and packed by
// oneDNN, vectors as floats, embedding rows read from the mapped file as they are needed. What of it is in
// memory when: stages.hpp.
#pragma once

#include "kernels/kernels.hpp"
#include "matmul.hpp"

#include "depthlens/abi/backend.h"
#include "depthlens/backend/block_parts.hpp"
#include "depthlens/backend/weight_view.hpp"

#include <cstdint>
#include <vector>

namespace depthlens::cpu {

// A linear map with an optional bias.
struct linear {
  packed_matrix matrix;
  std::vector<float> bias;  // (outputs) or empty

  // out (rows, outputs) = in (rows, inputs) * matrix transposed + bias.
  void apply(const kernel_table& kernels, const input_rows& in, const float_rows& out,
             workspace& scratch) const;
};

// A norm over n values; without weights it is absent.
struct norm_weights {
  std::vector<float> weight;  // (n), the architecture's offset added
  std::vector<float> bias;    // (n) or empty
  std::uint32_t kind = DLENS_NORM_RMS;
  float eps = 0;

  bool present() const { return !weight.empty(); }
  std::size_t width() const { return weight.size(); }
  // x, out (rows, n); out may be x.
  void apply(const kernel_table& kernels, const float* x, std::size_t rows, float* out) const;
  // The same, each row rounded; an absent norm rounds alone. row (n) is for one row between the two.
  void apply_rounded(const kernel_table& kernels, const input_rows& x, float* row, bf16* out) const;
};

// Inner values of the feed-forward layer that are made at once: with their gates, of 256 rows, 256 KiB.
constexpr std::size_t inner_tile = 128;

// The inner map in tiles: inner_tile rows of the gate, then as many of up; of up alone if there is no gate.
// The last holds the rest.
using block_weights = block_parts<norm_weights, linear, std::vector<linear>>;

// Columns of the logits that are made and reduced at once: outputs of a tile of the unembedding.
constexpr std::size_t tile_width = 960;

// Tiles of the unembedding that are in memory together, and what for: to find the model's own top-1 of every
// site, to read all layers, or both one after the other. Several stages that share the vocabulary between
// them follow each other in its order.
struct readout_stage {
  bool finals = true, layers = true;
  bool again = false;  // layers once more, for stacks that were reduced against other values of their targets
  bool first = true, last = true;  // of the vocabulary
  std::size_t first_id = 0;
  std::vector<packed_matrix> tiles;  // tile_width rows of the unembedding each, the very last one the rest
};

struct model_weights {
  weight_view embed;                // (V, D)
  weight_view position;             // (rows, D) or absent
  weight_view unembed;              // (V, D)
  std::vector<float> unembed_bias;  // (V) or empty
  norm_weights final_norm;
  std::vector<block_weights> blocks;  // (n_layers)
  // In the order in which they are gone through; one alone, with all tiles, where weights are held.
  std::vector<readout_stage> readouts;
};

}  // namespace depthlens::cpu
