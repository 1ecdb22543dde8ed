// SPDX-License-Identifier: Apache-2.0
#include "part_tools.hpp"

namespace depthlens::cpu {

input_rows part_tools::normed(const norm_weights& norm, const float_rows& h, float_buffer& room) const {
  if (rounds()) {
    bf16* x = reserve_bf16(room, chunk_rows * h.width);
    norm.apply_rounded(kernels, h, scratch.row.reserve(h.width), x);
    return {x, h.n, h.width};
  }
  if (!norm.present()) return h;
  const float_rows x = room.rows(chunk_rows, h.width).part({0, h.n});
  norm.apply(kernels, h.data, h.n, x.data);
  return x;
}

float_rows part_tools::product(const linear& map, const input_rows& in) const {
  const float_rows out = scratch.product.rows(in.n, map.outputs());
  map.apply(kernels, in, out, scratch);
  return out;
}

input_rows part_tools::inner_values(const channel_weights& w, const dlens_block& form, std::size_t d_ff,
                                    const input_rows& x) const {
  float* const line = scratch.row.reserve(inner_tile);
  float* const floats = rounds() ? nullptr : scratch.inner.reserve(chunk_rows * d_ff);
  bf16* const rounded = rounds() ? reserve_bf16(scratch.inner, chunk_rows * d_ff) : nullptr;
  for_chunks(d_ff, inner_tile, [&](row_range inner) {
    const float_rows values = product(w.inner[inner.first / inner_tile], x);
    for (std::size_t i = 0; i < x.n; ++i) {
      const float* row = values.row(i);
      const std::size_t at = i * d_ff + inner.first;
      float* const to = rounds() ? line : floats + at;
      if (form.activation == DLENS_ACTIVATION_CLAMPED) {
        kernels.clamped_gate(row, row + inner.n, static_cast<float>(form.activation_alpha),
                             static_cast<float>(form.activation_limit), inner.n, to);
      } else {
        kernels.activate(static_cast<activation>(form.activation), row, w.gated ? row + inner.n : nullptr,
                         inner.n, to);
      }
      if (rounds()) kernels.to_bf16(line, inner.n, rounded + at);
    }
  });
  return rounds() ? input_rows(rounded, x.n, d_ff) : input_rows(floats, x.n, d_ff);
}

void part_tools::add_normed(const norm_weights& norm, const float_rows& x, double scale,
                            const float_rows& h) const {
  if (norm.present()) norm.apply(kernels, x.data, x.n * x.width / norm.width(), x.data);
  if (scale == 1) return kernels.add(h.data, x.data, h.n * h.width);
  kernels.add_scaled(h.data, x.data, static_cast<float>(scale), h.n * h.width);
}

}  // namespace depthlens::cpu
