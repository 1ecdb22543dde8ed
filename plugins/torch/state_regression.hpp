// SPDX-License-Identifier: Apache-2.0
// Where a tuned lens's training can begin: the least-squares prediction of the normed final state from each
// layer's state, from sums over positions; no product with the unembedding is needed for a position.
#pragma once

#include "output_loss.hpp"
#include "weights.hpp"

#include <ATen/ATen.h>

#include <cstdint>
#include <vector>

namespace depthlens::torch_backend {

// t = h + weight h + bias
struct translator {
  at::Tensor weight;  // (D, D) float32, undefined = zero
  at::Tensor bias;    // (D) float32
};

// Coordinates x = whiten (h - center) of a layer, in which its states have mean 0, variance 1 and no
// correlations.
struct coordinates {
  at::Tensor whiten;  // (D, D) float32, lower triangular
  at::Tensor center;  // (D) float32
};

// Sums in double. One thread.
class state_regression {
 public:
  // Both outlive it.
  state_regression(const norm_weights& norm, const unembedding& unembed);

  // Layers 0..n of P positions, (P, D) float32.
  void add(const std::vector<at::Tensor>& hidden);

  // Ridge regression of the final state y, scaled to a root mean square of 1 as the norm does, on a layer's
  // state. A prediction is shorter than what it predicts by what it does not know, and the norm would stretch
  // it to full certainty; so the bias has a part along the direction that the output hears least of, so long
  // that the whole has a root mean square of 1.
  translator fit(std::int64_t layer, double ridge) const;
  // With the weight left zero: the shift of the mean.
  translator fit_bias(std::int64_t layer) const;
  coordinates fit_coordinates(std::int64_t layer, double ridge) const;

 private:
  at::Tensor covariance(std::size_t layer) const;
  // Of the covariance and the ridge; errors: status::data where it has none.
  at::Tensor cholesky(std::int64_t layer, double ridge) const;
  at::Tensor quiet_direction() const;

  const norm_weights& norm_;
  const unembedding& unembed_;
  double positions_ = 0;
  at::Tensor final_sum_, final_square_;             // (D), () of y
  std::vector<at::Tensor> sum_, products_, mixed_;  // [layer] (D), (D, D) of h h^T, (D, D) of h y^T
  mutable at::Tensor quiet_;                        // (D), made once
};

}  // namespace depthlens::torch_backend
