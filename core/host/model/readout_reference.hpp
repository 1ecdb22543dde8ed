// SPDX-License-Identifier: Apache-2.0
// What a lens must say, worked out here in double from the model's own tensors: logits of a few tokens for
// one hidden state, softcap(unembed norm(h) + bias), and the hidden state that enters block 0. Slow and
// independent of any backend; self_check.hpp holds backends against it.
#pragma once

#include "depthlens/model/model_files.hpp"

#include <cstdint>
#include <span>
#include <vector>

namespace depthlens {

// A logit, and what bounds its rounding errors.
struct reference_logit {
  double value = 0;
  double absolute_sum = 0;  // of |x_i w_i| over D
  double norm = 0;          // square root of the sum of (x_i w_i)^2
};

class readout_reference {
 public:
  // The files outlive it.
  explicit readout_reference(const model_files& files);

  // The state of `token` at position 0 as it enters block 0. (D)
  std::vector<double> embedding(std::int32_t token) const;
  // The row of the unembedding. (embed_dim)
  std::vector<double> unembedding(std::int32_t token) const;
  // The direction of states that has the largest logit of the token, but for the norm. (D)
  std::vector<double> direction_of(std::int32_t token) const;
  // What the unembedding is multiplied with: the final norm of h, and its projection. h: (D); result:
  // (embed_dim)
  std::vector<double> input_of(std::span<const double> h) const;
  // The logit that a product of input and unembedding row makes: with bias and soft cap.
  double logit_of(double product, std::int32_t token) const;
  // False for a model without a final norm, whose readings depend on how large a state is.
  bool has_norm() const { return !weight_.empty(); }
  // The logits of `tokens` for the state h. h: (D); result: (K)
  std::vector<reference_logit> logits(std::span<const double> h, std::span<const std::int32_t> tokens) const;

 private:
  std::vector<double> final_norm(std::span<const double> h) const;
  std::vector<double> normed_by(std::span<const double> h, const std::vector<double>& weight,
                                const std::vector<double>& bias) const;

  const model_files& files_;
  std::vector<double> weight_, bias_;  // (D) of the final norm, or empty
};

}  // namespace depthlens
