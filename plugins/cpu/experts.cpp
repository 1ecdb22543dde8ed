// SPDX-License-Identifier: Apache-2.0
#include "experts.hpp"

#include <algorithm>
#include <cmath>

namespace depthlens::cpu {

void expert_part::run(const float_rows& h, const input_rows& x, const float_rows& out) const {
  const routed_rows routed = route(h, x);
  std::fill_n(out.data, out.n * out.width, 0.0f);
  for (std::size_t i = 0; i < routed.size(); ++i)
    if (!routed[i].empty()) add_expert(i, routed[i], h, x, out);
  if (w_.expert_post_norm.present()) w_.expert_post_norm.apply(tools_.kernels, out.data, out.n, out.data);
  if (e_.d_shared > 0) add_shared(x, out);
}

routed_rows expert_part::route(const float_rows& h, const input_rows& x) const {
  routed_rows out(e_.n_experts);
  for_chunks(h.n, chunk_rows, [&](row_range rows) {
    const bool own_norm = w_.router_norm.present();
    const input_rows seen = own_norm ? tools_.normed(w_.router_norm, h.part(rows)) : x.part(rows);
    const float_rows logits = tools_.product(w_.router, seen);
    for (std::size_t i = 0; i < rows.n; ++i)
      choose(logits.row(i), static_cast<std::uint32_t>(rows.first + i), out);
  });
  return out;
}

void expert_part::choose(const float* logits, std::uint32_t row, routed_rows& out) const {
  const chosen_experts chosen = choose_experts(e_, logits, w_.router_correction, w_.expert_scale);
  for (std::size_t i = 0; i < chosen.ids.size(); ++i)
    out[chosen.ids[i]].push_back({row, static_cast<float>(chosen.weights[i])});
  if (hooks_.chose) hooks_.chose(row, chosen, logits);
}

void expert_part::add_expert(std::size_t number, const std::vector<row_of_expert>& rows, const float_rows& h,
                             const input_rows& x, const float_rows& out) const {
  hooks_.ready(number);
  const channel_weights& expert = w_.experts[number];
  for_chunks(rows.size(), chunk_rows, [&](row_range some) {
    const row_of_expert* const from = rows.data() + some.first;
    const input_rows inner = tools_.inner_values(expert, shape_.form, e_.d_ff, gather(from, some.n, h, x));
    const float_rows values = tools_.product(expert.down, inner);
    for (std::size_t i = 0; i < some.n; ++i)
      tools_.kernels.add_scaled(out.row(from[i].row), values.row(i), from[i].weight, out.width);
  });
}

// Rows one behind the other, up to chunk_rows of them, as products take them; normed for the experts where
// they have a norm of their own.
input_rows expert_part::gather(const row_of_expert* rows, std::size_t n, const float_rows& h,
                               const input_rows& x) const {
  workspace& s = tools_.scratch;
  if (w_.expert_norm.present()) {
    const float_rows plain = s.gathered.rows(chunk_rows, h.width).part({0, n});
    for (std::size_t i = 0; i < n; ++i) std::copy_n(h.row(rows[i].row), h.width, plain.row(i));
    return tools_.normed(w_.expert_norm, plain);
  }
  if (x.rounded) {
    bf16* const to = reserve_bf16(s.gathered, chunk_rows * x.width);
    for (std::size_t i = 0; i < n; ++i)
      std::copy_n(x.rounded + rows[i].row * x.width, x.width, to + i * x.width);
    return {to, n, x.width};
  }
  float* const to = s.gathered.reserve(chunk_rows * x.width);
  for (std::size_t i = 0; i < n; ++i)
    std::copy_n(x.floats + rows[i].row * x.width, x.width, to + i * x.width);
  return {to, n, x.width};
}

void expert_part::add_shared(const input_rows& x, const float_rows& out) const {
  for_chunks(out.n, chunk_rows, [&](row_range rows) {
    const input_rows seen = x.part(rows);
    std::vector<float> gate(rows.n, 1.0f);
    if (w_.shared_router.present()) {
      const float_rows logits = tools_.product(w_.shared_router, seen);
      for (std::size_t i = 0; i < rows.n; ++i)
        gate[i] = static_cast<float>(1 / (1 + std::exp(-static_cast<double>(*logits.row(i)))));
    }
    const input_rows inner = tools_.inner_values(w_.shared, shape_.form, e_.d_shared, seen);
    const float_rows values = tools_.product(w_.shared.down, inner);
    for (std::size_t i = 0; i < rows.n; ++i)
      tools_.kernels.add_scaled(out.row(rows.first + i), values.row(i), gate[i], out.width);
  });
}

}  // namespace depthlens::cpu
