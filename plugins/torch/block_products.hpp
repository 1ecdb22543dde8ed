// SPDX-License-Identifier: Apache-2.0
// The products with weights that a block makes for each token, from its shape.
#pragma once

#include "product_rate.hpp"
#include "weights.hpp"

#include "depthlens/backend/checked_architecture.hpp"

#include <cstdint>
#include <vector>

namespace depthlens::torch_backend {

// Of experts those that a token goes to.
inline std::vector<product_shape> products_of_block(const owned_architecture& arch, std::uint32_t layer,
                                                    const block_weights& w) {
  const block_shape& shape = arch.blocks[layer];
  const std::int64_t d = arch.all.d_model;
  std::vector<product_shape> out;
  if (const auto& a = shape.attention) {
    const std::int64_t q = std::int64_t{a->n_heads} * a->head_dim,
                       mixed = std::int64_t{a->n_heads} * a->value_dim;
    if (a->q_rank > 0) out.push_back({d, a->q_rank});
    out.push_back({a->q_rank > 0 ? a->q_rank : d, q});
    if (a->kv_rank > 0) {
      out.push_back({d, a->kv_rank});
      out.push_back({a->kv_rank, std::int64_t{a->n_heads} * (a->head_dim - a->rope_dims) + mixed});
    } else if (!shape.shares_kv(layer)) {
      out.push_back({d, 2 * std::int64_t{a->n_kv_heads} * a->head_dim});
    }
    out.push_back({mixed, d});
  } else if (const auto& r = shape.delta) {
    const std::int64_t keys = std::int64_t{r->n_key_heads} * r->key_dim;
    const std::int64_t values = std::int64_t{r->n_value_heads} * r->value_dim;
    out.push_back({d, 2 * keys});
    out.push_back({d, 2 * values});
    out.push_back({values, d});
  }
  const auto channel = [&](std::int64_t f, const channel_parts<linear, linear>& parts) {
    out.push_back({d, parts.gated ? 2 * f : f});
    out.push_back({f, d});
  };
  if (shape.form.d_ff > 0) channel(shape.form.d_ff, w.dense);
  if (const auto& e = shape.experts) {
    for (std::uint32_t i = 0; i < e->n_used; ++i) channel(e->d_ff, w.experts.front());
    if (e->d_shared > 0) channel(e->d_shared, w.shared);
  }
  return out;
}

}  // namespace depthlens::torch_backend
