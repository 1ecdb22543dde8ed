// SPDX-License-Identifier: Apache-2.0
#include "state_regression.hpp"

#include "depthlens/base/error.hpp"

#include <algorithm>
#include <cmath>

namespace depthlens::torch_backend {

namespace {

// h (P, D) as the norm, if there is one, makes it before its weight and bias, in double.
at::Tensor scaled(const norm_weights& norm, const at::Tensor& h) {
  at::Tensor y = h.to(at::kDouble);
  if (!norm.present()) return y;
  if (norm.kind == DLENS_NORM_LAYER) y = y - y.mean(-1, /*keepdim=*/true);
  return y * y.square().mean(-1, /*keepdim=*/true).add_(norm.eps).rsqrt_();
}

}  // namespace

state_regression::state_regression(const norm_weights& norm, const unembedding& unembed)
    : norm_(norm), unembed_(unembed) {}

void state_regression::add(const std::vector<at::Tensor>& hidden) {
  const at::Tensor y = scaled(norm_, hidden.back());
  const std::size_t layers = hidden.size() - 1;
  if (sum_.empty()) {
    const at::Tensor none = at::zeros({y.size(1)}, y.options());
    final_sum_ = none.clone();
    final_square_ = at::zeros({}, y.options());
    for (std::size_t i = 0; i < layers; ++i) {
      sum_.push_back(none.clone());
      products_.push_back(at::zeros({y.size(1), y.size(1)}, y.options()));
      mixed_.push_back(at::zeros_like(products_.back()));
    }
  }
  positions_ += static_cast<double>(y.size(0));
  final_sum_.add_(y.sum(0));
  final_square_.add_(y.square().sum());
  for (std::size_t i = 0; i < layers; ++i) {
    const at::Tensor h = hidden[i].to(at::kDouble);
    sum_[i].add_(h.sum(0));
    products_[i].addmm_(h.t(), h);
    mixed_[i].addmm_(h.t(), y);
  }
}

// Of all directions of a state that the norm passes, the one along which the logits spread least.
at::Tensor state_regression::quiet_direction() const {
  if (quiet_.defined()) return quiet_;
  const std::int64_t v = unembed_.weight.size(0), d = unembed_.weight.size(1), step = 4096;
  const auto f64 = at::TensorOptions().dtype(at::kDouble).device(unembed_.weight.device());
  at::Tensor gram = at::zeros({d, d}, f64), sum = at::zeros({d}, f64);
  for (std::int64_t id = 0; id < v; id += step) {
    const at::Tensor w =
        unembed_.weight.narrow(0, id, std::min(step, v - id)).to(at::kDouble) * norm_.weight.to(at::kDouble);
    gram.addmm_(w.t(), w);
    sum.add_(w.sum(0));
  }
  gram.sub_(at::outer(sum, sum).div_(static_cast<double>(v)));
  if (norm_.kind == DLENS_NORM_LAYER) {
    // The mean of a state is taken off, so that direction is no way out.
    gram.add_(at::full({d, d}, gram.trace().item<double>() / static_cast<double>(d), f64));
  }
  quiet_ = std::get<1>(at::linalg_eigh(gram)).select(1, 0).contiguous();
  return quiet_;
}

at::Tensor state_regression::covariance(std::size_t layer) const {
  const at::Tensor mean = sum_[layer] / positions_;
  return products_[layer] / positions_ - at::outer(mean, mean);
}

at::Tensor state_regression::cholesky(std::int64_t layer, double ridge) const {
  const at::Tensor c = covariance(static_cast<std::size_t>(layer));
  const double shift = ridge * c.trace().item<double>() / static_cast<double>(c.size(0));
  const auto [factor, failed] = at::linalg_cholesky_ex(c + at::eye(c.size(0), c.options()) * shift);
  if (failed.item<std::int64_t>() != 0)
    fail(status::data, "the states of layer ", layer,
         " leave the least-squares fit open; observe more text or take a larger ridge");
  return factor;
}

coordinates state_regression::fit_coordinates(std::int64_t layer, double ridge) const {
  const at::Tensor factor = cholesky(layer, ridge);
  const at::Tensor whiten =
      at::linalg_solve_triangular(factor, at::eye(factor.size(0), factor.options()), /*upper=*/false);
  return {whiten.to(at::kFloat), (sum_[static_cast<std::size_t>(layer)] / positions_).to(at::kFloat)};
}

translator state_regression::fit(std::int64_t layer, double ridge) const {
  const auto i = static_cast<std::size_t>(layer);
  const std::int64_t d = final_sum_.size(0);
  const at::Tensor h_mean = sum_[i] / positions_, y_mean = final_sum_ / positions_;
  const at::Tensor mixed = mixed_[i] / positions_ - at::outer(h_mean, y_mean);
  const at::Tensor factor = cholesky(layer, ridge);
  const at::Tensor map = at::cholesky_solve(mixed, factor);  // (D, D): y = map^T h
  const at::Tensor weight = (map.t() - at::eye(d, map.options())).to(at::kFloat);
  at::Tensor bias = y_mean - at::mv(map.t(), h_mean);
  if (!norm_.present()) return {weight, bias.to(at::kFloat)};  // nothing stretches a prediction
  const at::Tensor quiet = quiet_direction();
  const double known =
      (map * at::mm(covariance(i), map)).sum().item<double>() + y_mean.square().sum().item<double>();
  const double along = at::dot(y_mean, quiet).item<double>();
  const double lacking = std::max(0.0, static_cast<double>(d) - known);
  // known + 2 c along + c^2 = D
  const double c = std::copysign(std::sqrt(along * along + lacking) - std::abs(along), along);
  return {weight, (bias + quiet * c).to(at::kFloat)};
}

translator state_regression::fit_bias(std::int64_t layer) const {
  const at::Tensor& h = sum_[static_cast<std::size_t>(layer)];
  return {{}, ((final_sum_ - h) / positions_).to(at::kFloat)};
}

}  // namespace depthlens::torch_backend
