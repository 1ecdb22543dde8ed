// SPDX-License-Identifier: Apache-2.0
// The vector kernels that the backends share, compiled for several instruction sets; the best one that this
// CPU has is chosen once. What they compute is said in norm.hpp, activation.hpp, gates.hpp, softcap.hpp,
// rotary.hpp, attend.hpp, mix.hpp, recurrence.hpp, reduce.hpp and bf16.hpp.
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
  const float* values;       // (positions, value_stride), value_dim padded with zeros
  std::size_t stride;        // of keys and scores, a multiple of 16
  std::size_t value_stride;  // a multiple of 16
  std::size_t head_dim, value_dim;
  const float* q;  // (n_rows, q_stride), at the first of n_heads heads; scaled
  std::size_t q_stride;
  float* out;  // (n_rows, out_stride), at the first of n_heads heads; q itself where both are laid out alike
  std::size_t out_stride;
  std::size_t n_rows;
  std::size_t n_heads;
  const std::int32_t* position;  // (n_rows): a row reads positions 0..position
  float* scores;                 // (attend_rows_at_once, stride) scratch
  std::size_t window;            // a row reads the last `window` of its positions; 0 = all
  float softcap;                 // of the scores; 0 = none
  const float* sinks;            // (n_heads) scores without a value; nullptr = none
  // (n_heads, bias_stride): added to the scores; nullptr = none. The bias of position c is element c, or,
  // where it depends on the distance, element bias_end + c - position of the row.
  const float* bias;
  std::size_t bias_stride;
  std::size_t bias_end;  // 0 = does not depend on the distance
};

// out (n_rows, width) = or += sum over k of weights(r, k) rows(k, :); k in 0..end of the row.
struct mix_job {
  const float* weights;
  std::size_t weight_stride;
  const float* rows;
  std::size_t row_stride;
  float* out;
  std::size_t out_stride;
  std::size_t n_rows, width;
  const std::size_t* ends;  // (n_rows) how many of the rows are summed
  bool adds;                // to what is in out; else it is overwritten
};

// DLENS_ACTIVATION_...
enum class activation : std::uint32_t { silu = 1, gelu = 2, gelu_tanh = 3, relu = 4 };

// Of n_heads heads of head_dim values each the `dims` from `begin` on; all values are scaled.
struct rotation {
  std::size_t n_heads, head_dim, begin, dims;
  const float *cosine, *sine;  // (dims / 2) of the row's position
  bool interleaved;            // pairs (2i, 2i + 1), else (i, i + dims / 2)
  float scale;
};

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
  void (*add_scaled)(float* h, const float* x, float scale, std::size_t n);
  void (*scale)(float* h, float by, std::size_t n);
  void (*clip)(float* x, float most, std::size_t n);
  void (*times_sigmoid)(float* x, const float* gate, std::size_t n);
  void (*clamped_gate)(const float* gate, const float* up, float alpha, float limit, std::size_t n,
                       float* out);
  void (*rotate)(float* row, const rotation& by);
  void (*attend)(const attend_job& job);
  void (*mix_rows)(const mix_job& job);
  void (*times_exp)(float* x, const float* less, float from, std::size_t n);
  void (*convolve)(const float* const* rows, const float* weight, std::size_t width, std::size_t n,
                   float* out);
  void (*unit_length)(float* x, std::size_t n, float length);
  void (*reduce_tile)(const logit_tile& tile, row_state& row);
  void (*to_bf16)(const float* x, std::size_t n, bf16* out);
  void (*from_bf16)(const bf16* x, std::size_t n, float* out);
};

// The best table for this CPU; static data.
const kernel_table& kernels();

}  // namespace depthlens::cpu
