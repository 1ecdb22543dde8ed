// SPDX-License-Identifier: Apache-2.0
// Queries, keys and values of a block's attention, of all kinds that dlens_attention has, and what becomes of
// the heads' outputs. Attention itself: attention.hpp.
#pragma once

#include "block_work.hpp"
#include "rotary.hpp"

#include <ATen/ATen.h>

namespace depthlens::torch_backend {

// Turned by their positions: (T, KV heads, head_dim), (T, KV heads, value_dim).
struct keys_values {
  at::Tensor k, v;
};

// x (T, D) of the products' type; angles of all T tokens.
keys_values make_keys_values(const block_work& work, const at::Tensor& x, const rope_angles& angles);

// x, of the products' type, and angles of the rows made -> (rows made, D) float32, without attn_post_norm.
at::Tensor attention_output(const block_work& work, const at::Tensor& x, const rope_angles& angles,
                            const keys_values& kv, const tree_attention& over);

}  // namespace depthlens::torch_backend
