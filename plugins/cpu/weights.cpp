// SPDX-License-Identifier: Apache-2.0
#include "weights.hpp"

namespace depthlens::cpu {

void norm_weights::apply(const kernel_table& kernels, const float* x, std::size_t rows, float* out) const {
  const auto kernel = kind == DLENS_NORM_LAYER ? kernels.layer_norm : kernels.rms_norm;
  const std::size_t n = width();
  for (std::size_t i = 0; i < rows; ++i) {
    kernel(x + i * n, weight.data(), eps, n, out + i * n);
    if (!bias.empty()) kernels.add(out + i * n, bias.data(), n);
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
  matrix.multiply(in, out, scratch);
  for (std::size_t i = 0; i < out.n && !bias.empty(); ++i) kernels.add(out.row(i), bias.data(), bias.size());
}

}  // namespace depthlens::cpu
