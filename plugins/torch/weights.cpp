// SPDX-License-Identifier: Apache-2.0
#include "weights.hpp"

#include "device.hpp"

#include <algorithm>

namespace depthlens::torch_backend {

at::Tensor norm_weights::apply(const at::Tensor& x) const {
  if (!present()) return x;
  if (weight.dim() > 1 && kind == DLENS_NORM_LAYER) {
    const at::Tensor out = at::layer_norm(x, {width()}, {}, {}, eps) * weight;
    return bias.defined() ? out + bias : out;
  }
  if (kind == DLENS_NORM_LAYER) return at::layer_norm(x, {width()}, weight, bias, eps);
  const auto by_steps = [&] {
    const at::Tensor scale = x.pow(2).mean(-1, /*keepdim=*/true).add_(eps).rsqrt_();
    return (x * scale).mul_(weight);
  };
  // On a GPU one kernel, by the newer versions of libtorch.
  at::Tensor out = x.is_cuda() && weight.dim() == 1 ? at::rms_norm(x, {width()}, weight, eps) : by_steps();
  return bias.defined() ? out.add_(bias) : out;
}

at::Tensor rounded_rows(const weight_view& matrix, const std::vector<std::int64_t>& ids, at::ScalarType type,
                        at::Device device) {
  const auto n = static_cast<std::int64_t>(ids.size()), width = static_cast<std::int64_t>(matrix.columns);
  const at::Tensor here =
      at::empty({n, width}, at::TensorOptions(at::kFloat).pinned_memory(device.is_cuda() && n > 0));
  float* row = here.data_ptr<float>();
  for (const std::int64_t id : ids) {
    if (id < 0) {
      std::fill_n(row, matrix.columns, 0.0f);
    } else {
      matrix.read_rows(static_cast<std::size_t>(id), 1, row);
    }
    row += width;
  }
  return here.to(device, at::kFloat, /*non_blocking=*/true).to(type).to(at::kFloat);
}

}  // namespace depthlens::torch_backend
