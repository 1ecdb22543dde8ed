// SPDX-License-Identifier: Apache-2.0
// How many floats a block takes for each token: of a call in flight, and of a kept path.
#pragma once

#include "kept_path.hpp"

#include "depthlens/backend/checked_architecture.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace depthlens::cpu {

// Of a delta rule, what a token leaves behind for those after it: what the convolution sees of it, its keys,
// the values that its chunk's states are made of, and the sums of log decays since the chunk began.
struct delta_widths {
  std::size_t channels, keys, values, heads;

  explicit delta_widths(const dlens_delta_rule& r)
      : channels(2 * std::size_t{r.n_key_heads} * r.key_dim + std::size_t{r.n_value_heads} * r.value_dim),
        keys(std::size_t{r.n_key_heads} * r.key_dim),
        values(std::size_t{r.n_value_heads} * r.value_dim),
        heads(r.n_value_heads) {}
  std::size_t row() const { return channels + keys + values + heads; }
};

inline std::size_t state_width(const dlens_delta_rule& r) {
  return std::size_t{r.n_value_heads} * r.key_dim * r.value_dim;
}

struct block_widths {
  std::size_t q = 0, mixed = 0;  // queries and what comes of them, in place where both are as wide
  std::size_t kv = 0;            // keys, then values
  std::size_t kept_row = 0, kept_state = 0;  // see kept_layer

  block_widths(const block_shape& b, std::uint32_t layer) {
    if (b.delta) {
      mixed = 2 * delta_widths(*b.delta).values;  // and their gates
      kv = kept_row = delta_widths(*b.delta).row();
      kept_state = state_width(*b.delta);
      return;
    }
    const dlens_attention& a = *b.attention;
    q = std::size_t{a.n_heads} * a.head_dim;
    mixed = std::size_t{a.n_heads} * a.value_dim;
    kv = std::size_t{a.n_kv_heads} * (a.head_dim + a.value_dim);
    if (a.kv_rank > 0) {
      kept_row = a.kv_rank + a.rope_dims;
    } else if (!b.shares_kv(layer)) {
      kept_row = kv;
    }
  }

  // Of a kept token, states shared between the tokens before them.
  std::size_t kept_floats() const { return kept_row + (kept_state + state_step - 1) / state_step; }
};

}  // namespace depthlens::cpu
