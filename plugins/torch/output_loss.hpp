// SPDX-License-Identifier: Apache-2.0
// How far the output read from a state is from the model's own: KL(final || lens) and its gradient, by tiles
// of the vocabulary, so that no row of logits is ever kept. With logits z = W x + c, log-sum-exp S and the
// mean row of W under the softmax, E = sum_v p_v W_v = dS/dx, the loss is a difference of S over its tangent,
//   KL = S(x) - S(x_final) - (x - x_final) . E(x_final),   dKL/dx = E(x) - E(x_final),
// two products with W for each state. A soft cap bends the logits; then the final output's tile is made
// again.
#pragma once

#include <ATen/ATen.h>

namespace depthlens::torch_backend {

struct unembedding {
  at::Tensor weight;   // (V, D)
  at::Tensor bias;     // (V), undefined = none
  double softcap = 0;  // 0 = none
};

// The model's own output at P positions.
struct final_output {
  at::Tensor state;     // (P, D) normed, in the type of the unembedding
  at::Tensor log_sum;   // (P) float32
  at::Tensor mean_row;  // (P, D) float32
};

struct output_loss {
  at::Tensor kl;        // (P) float32, nats
  at::Tensor gradient;  // (P, D) float32, of each position's KL by its normed state; undefined if not wanted
};

enum class wants { loss, gradient };

// state (P, D) float32, normed.
final_output read_final(const unembedding& u, const at::Tensor& state);
output_loss loss_of(const unembedding& u, const final_output& final, const at::Tensor& state, wants what);

// (V) float32: the mean of the final outputs' distributions, which is what a predictor that knows no state
// can say.
at::Tensor mean_output(const unembedding& u, const final_output& final);
// (P) KL(final || output) of such a predictor, output (V).
at::Tensor kl_from(const unembedding& u, const final_output& final, const at::Tensor& output);

}  // namespace depthlens::torch_backend
