// SPDX-License-Identifier: Apache-2.0
// SGD with Nesterov momentum and Adam as dlens_trainer_options describes them, over a parameter that has a
// slice for each layer. The reference of the tests is the same in double.
#pragma once

#include "depthlens/abi/trainer.h"

#include <ATen/ATen.h>

#include <cstdint>

namespace depthlens::torch_backend {

class optimizer {
 public:
  // For a parameter (n, ...) float32.
  optimizer(const dlens_trainer_options& options, const at::Tensor& parameter);

  // The change of a layer's parameter (...) by one step down its gradient (...), weight decay apart; `steps`
  // counts from 1.
  at::Tensor step(std::int64_t layer, const at::Tensor& gradient, double rate, std::uint64_t steps);

  const at::Tensor& mean() const { return mean_; }          // as the parameter: the momentum
  const at::Tensor& variance() const { return variance_; }  // as the parameter; undefined for SGD

 private:
  const dlens_trainer_options& options_;
  at::Tensor mean_, variance_;
};

}  // namespace depthlens::torch_backend
