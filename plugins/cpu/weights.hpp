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
  std::vector<float> single;  // (inputs) instead of the matrix of a map with one output: oneDNN's sums of
                              // those depend on the number of rows
  std::vector<float> bias;    // (outputs) or empty

  bool present() const { return matrix.present() || !single.empty(); }
  std::size_t outputs() const { return single.empty() ? matrix.outputs() : 1; }

  // out (rows, outputs) = in (rows, inputs) * matrix transposed + bias.
  void apply(const kernel_table& kernels, const input_rows& in, const float_rows& out,
             workspace& scratch) const;

 private:
  void apply_single(const kernel_table& kernels, const input_rows& in, const float_rows& out,
                    workspace& scratch) const;
};

// A norm over n values, with weights for one such stretch or for several; without weights it is absent.
struct norm_weights {
  std::vector<float> weight;  // (stretches * n), the architecture's offset added
  std::vector<float> bias;    // the same, or empty
  std::uint32_t kind = DLENS_NORM_RMS;
  float eps = 0;
  std::size_t n = 0;

  bool present() const { return !weight.empty(); }
  std::size_t width() const { return n; }
  // x, out (rows, n); out may be x. Row i has the weights of stretch i modulo their number.
  void apply(const kernel_table& kernels, const float* x, std::size_t rows, float* out) const;
  // The same, each row rounded; an absent norm rounds alone. row (n) is for one row between the two.
  void apply_rounded(const kernel_table& kernels, const input_rows& x, float* row, bf16* out) const;
};

// Inner values of the feed-forward layer that are made at once: with their gates, of 256 rows, 256 KiB.
constexpr std::size_t inner_tile = 128;

// The inner map in tiles: inner_tile rows of the gate, then as many of up; of up alone if there is no gate.
// The last holds the rest.
using block_weights = block_parts<norm_weights, linear, std::vector<linear>, std::vector<float>>;
using channel_weights = channel_parts<linear, std::vector<linear>>;

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
  weight_view embed;                // (V, embed_dim)
  weight_view position;             // (rows, D) or absent
  weight_view unembed;              // (V, embed_dim)
  std::vector<float> unembed_bias;  // (V) or empty
  norm_weights final_norm, embed_norm;
  linear in_projection, out_projection;  // (D, embed_dim), (embed_dim, D); none where that is D
  // Of layer inputs of width P.
  weight_view layer_embed;                       // (vocab_size, n_layers P) or absent
  std::vector<packed_matrix> layer_projections;  // (n_layers) of (P, D)
  norm_weights layer_embed_norm;                 // (P)
  std::vector<block_weights> blocks;             // (n_layers)
  // In the order in which they are gone through; one alone, with all tiles, where weights are held.
  std::vector<readout_stage> readouts;
};

}  // namespace depthlens::cpu
