// SPDX-License-Identifier: Apache-2.0
// The vector kernels that the backends share, compiled for several instruction sets; the best one that this
// CPU has is chosen once. What they compute is said in norm.hpp, activation.hpp, softcap.hpp, rotary.hpp,
// attend.hpp, reduce.hpp and bf16.hpp.
#pragma once

#include "depthlens/backend/row_state.hpp"

#include <cstddef>
#include <cstdint>

namespace depthlens::cpu {

// The upper half of a float, see bf16.hpp.
enum class bf16 : std::uint16_t {};

// Rows of a block of queries in registers.
constexpr std::size_t attend_rows_at_once = 6;

// Query rows that attend over one path of the tree, for the heads that share one key-value head.
struct attend_job {
  const float* keys;         // (head_dim, stride): a column for each position
  const float* values;       // (positions, value_stride), head_dim padded with zeros
  std::size_t stride;        // of keys and scores, a multiple of 16
  std::size_t value_stride;  // a multiple of 16
  std::size_t head_dim;
  float* q;  // (n_rows, q_stride), at the first of n_heads heads; scaled; replaced by the outputs
  std::size_t q_stride;
  std::size_t n_rows;
  std::size_t n_heads;
  const std::int32_t* position;  // (n_rows): a row reads positions 0..position
  float* scores;                 // (attend_rows_at_once, stride) scratch
  std::size_t window;            // a row reads the last `window` of its positions; 0 = all
  float softcap;                 // of the scores; 0 = none
};

// DLENS_ACTIVATION_...
enum class activation : std::uint32_t { silu = 1, gelu = 2, gelu_tanh = 3, relu = 4 };

struct logit_tile {
  const float* logits;  // (n)
  std::size_t n;
  std::int32_t first_id;
  row_kind kind;
  float* final_weights;  // (n): written by final, read by layer; nullptr = no KL wanted
};

struct kernel_table {
  const char* name;
  void (*rms_norm)(const float* x, const float* weight, float eps, std::size_t n, float* out);
  void (*add)(float* h, const float* x, std::size_t n);
  void (*layer_norm)(const float* x, const float* weight, float eps, std::size_t n, float* out);
  void (*activate)(activation kind, const float* x, const float* factor, std::size_t n, float* out);
  void (*soft_cap)(float* z, std::size_t n, float cap);
  void (*rotate)(float* row, std::size_t n_heads, std::size_t head_dim, std::size_t dims, const float* cosine,
                 const float* sine, bool interleaved, float scale);
  void (*attend)(const attend_job& job);
  void (*reduce_tile)(const logit_tile& tile, row_state& row);
  void (*to_bf16)(const float* x, std::size_t n, bf16* out);
  void (*from_bf16)(const bf16* x, std::size_t n, float* out);
};

// The best table for this CPU; static data.
const kernel_table& kernels();

}  // namespace depthlens::cpu
