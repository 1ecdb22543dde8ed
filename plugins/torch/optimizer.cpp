// SPDX-License-Identifier: Apache-2.0
#include "optimizer.hpp"

#include <cmath>

namespace depthlens::torch_backend {

optimizer::optimizer(const dlens_trainer_options& options, const at::Tensor& parameter)
    : options_(options), mean_(at::zeros_like(parameter)) {
  if (options.optimizer == DLENS_OPTIMIZER_ADAM) variance_ = at::zeros_like(parameter);
}

at::Tensor optimizer::step(std::int64_t layer, const at::Tensor& gradient, double rate, std::uint64_t steps) {
  constexpr double epsilon = 1e-8;
  at::Tensor mean = mean_[layer];
  const double m = options_.momentum, v = options_.second_momentum, n = static_cast<double>(steps);
  if (!variance_.defined()) {
    mean.mul_(m).add_(gradient);
    return (gradient + mean * m).mul_(-rate);
  }
  at::Tensor variance = variance_[layer];
  mean.mul_(m).add_(gradient, 1 - m);
  variance.mul_(v).addcmul_(gradient, gradient, 1 - v);
  const double mean_share = 1 - std::pow(m, n), variance_share = 1 - std::pow(v, n);
  const at::Tensor spread = variance.sqrt().div_(std::sqrt(variance_share)).add_(epsilon);
  return mean.div(spread).mul_(-rate / mean_share);
}

}  // namespace depthlens::torch_backend
