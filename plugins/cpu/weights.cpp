// SPDX-License-Identifier: Apache-2.0
#include "weights.hpp"

namespace depthlens::cpu {

void norm_weights::apply(const kernel_table& kernels, const float* x, std::size_t rows, float* out) const {
  const auto kernel = kind == DLENS_NORM_LAYER ? kernels.layer_norm : kernels.rms_norm;
  for (std::size_t i = 0; i < rows; ++i) {
    const std::size_t own = i * n % weight.size();
    kernel(x + i * n, weight.data() + own, eps, n, out + i * n);
    if (!bias.empty()) kernels.add(out + i * n, bias.data() + own, n);
  }
}

void norm_weights::apply_rounded(const kernel_table& kernels, const input_rows& x, float* row,
                                 bf16* out) const {
  for (std::size_t i = 0; i < x.n; ++i) {
    const float* from = x.floats + i * x.width;
    if (present()) apply(kernels, from, 1, row);
    kernels.to_bf16(present() ? row : from, x.width, out + i * x.width);
  }
}

void linear::apply(const kernel_table& kernels, const input_rows& in, const float_rows& out,
                   workspace& scratch) const {
  if (!single.empty()) return apply_single(kernels, in, out, scratch);
  matrix.multiply(in, out, scratch);
  for (std::size_t i = 0; i < out.n && !bias.empty(); ++i) kernels.add(out.row(i), bias.data(), bias.size());
}

void linear::apply_single(const kernel_table& kernels, const input_rows& in, const float_rows& out,
                          workspace& scratch) const {
  for (std::size_t i = 0; i < in.n; ++i) {
    const float* x = in.floats ? in.floats + i * in.width : scratch.widened.reserve(in.width);
    if (in.rounded) kernels.from_bf16(in.rounded + i * in.width, in.width, scratch.widened.data());
    double sum = bias.empty() ? 0 : static_cast<double>(bias[0]);
    for (std::size_t j = 0; j < in.width; ++j)
      sum += static_cast<double>(x[j]) * static_cast<double>(single[j]);
    *out.row(i) = static_cast<float>(sum);
  }
}

}  // namespace depthlens::cpu
