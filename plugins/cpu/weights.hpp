// SPDX-License-Identifier: Apache-2.0
// A model's weights as the backend holds them: matrices dequantised to float32 and packed by oneDNN, vectors
// as floats, embedding rows read from the mapped file as they are needed.
#pragma once

#include "matmul.hpp"

#include "depthlens/abi/backend.h"
#include "depthlens/tensor.hpp"

#include <cstdint>
#include <vector>

namespace depthlens::cpu {

// A checked tensor of the model file: (rows, columns), rows = 1 for vectors.
struct weight_view {
  dtype type = dtype::f32;
  const std::byte* data = nullptr;
  std::size_t rows = 0, columns = 0;

  bool present() const { return data != nullptr; }
  // Row `row` as floats; out (columns).
  void read_row(std::size_t row, float* out) const;
};

// A linear map with an optional bias.
struct linear {
  packed_matrix matrix;
  std::vector<float> bias;  // (outputs) or empty
};

struct block_weights {
  std::vector<float> attn_norm, ffn_norm;  // (D)
  linear q;                                // (H * head_dim, D)
  linear kv;                               // keys, then values: (2 * KV heads * head_dim, D)
  linear o;                                // (D, H * head_dim)
  linear gate_up;                          // gate, then up: (2 F, D)
  linear down;                             // (D, F)
};

struct model_weights {
  weight_view embed;    // (V, D)
  weight_view unembed;  // (V, D)
  std::vector<float> final_norm;
  std::vector<block_weights> blocks;
  std::vector<packed_matrix> unembed_tiles;  // tile_width rows of the unembedding each, the last one the rest

  std::size_t bytes() const;  // held in memory by this struct
};

// Columns of the logits that are made and reduced at once.
constexpr std::size_t tile_width = 960;

// Loads in parallel with up to `threads` threads. `shapes` must outlive the result, and so must the tensors'
// data. Errors: status::data with the tensor's name for one that is missing or has another shape than the
// architecture.
model_weights load_weights(const dlens_weights& given, matmul_shapes& shapes, std::uint32_t threads);

}  // namespace depthlens::cpu
