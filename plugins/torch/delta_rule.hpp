// SPDX-License-Identifier: Apache-2.0
// The gated delta rule of a block over a tree of tokens, see abi/architecture.h, chunk by chunk along its
// paths (chunk_paths.hpp). With G_i the sum of the logarithms of g up to token i of a path and S the state
// before its first token, what token i changes, u_i = beta_i (v_i - exp(G_i) S^T k_i - sum over j < i of
// exp(G_i - G_j) (k_i . k_j) u_j), is one triangular system for the whole path, and then
//   o_i = exp(G_i) S^T q_i + sum over j <= i of exp(G_i - G_j) (q_i . k_j) u_j.
// All in float32 but for the products with weights.
#pragma once

#include "block_work.hpp"
#include "chunk_paths.hpp"

#include <ATen/ATen.h>

namespace depthlens::torch_backend {

// x (T, D) of the products' type -> (rows made, D) float32, without attn_post_norm.
at::Tensor delta_output(const block_work& work, const at::Tensor& x, const made_rows& made,
                        const chunk_paths& paths);

}  // namespace depthlens::torch_backend
