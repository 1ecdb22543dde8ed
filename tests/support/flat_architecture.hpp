// SPDX-License-Identifier: Apache-2.0
// The numbers of an architecture whose blocks have attention and are alike but for their windows, as members
// of the whole: those of block 0.
#pragma once

#include "depthlens/model/architecture.hpp"

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

namespace depthlens::test {

struct flat_architecture : architecture {
  explicit flat_architecture(architecture a) : architecture(std::move(a)) {
    const block_part& b = blocks.at(0);
    const attention_part& t = b.attention.value();
    n_heads = t.n_heads;
    n_kv_heads = t.n_kv_heads;
    head_dim = t.head_dim;
    d_ff = b.d_ff;
    form = b.form;
    activation = b.activation;
    attention_scale = t.scale;
    attention_softcap = t.softcap;
    rope = t.rope;
    rope_dims = t.rope_dims;
    rope_inv_freq = t.rope_inv_freq.values();
    rope_long_inv_freq = t.rope_long_inv_freq.values();
    rope_scale = t.rope_scale;
    for (const block_part& one : blocks) window.push_back(one.attention.value().window);
    if (std::count(window.begin(), window.end(), 0u) == static_cast<std::ptrdiff_t>(window.size()))
      window.clear();
  }

  std::uint32_t n_heads = 0, n_kv_heads = 0, head_dim = 0, d_ff = 0;
  block_form form = block_form::sequential;
  activation_kind activation = activation_kind::silu;
  double attention_scale = 0, attention_softcap = 0;
  rope_kind rope = rope_kind::half;
  std::uint32_t rope_dims = 0;
  std::vector<float> rope_inv_freq, rope_long_inv_freq;
  double rope_scale = 1;
  std::vector<std::uint32_t> window;  // (n_layers); empty: 0 everywhere
};

inline flat_architecture flat(architecture a) { return flat_architecture(std::move(a)); }

}  // namespace depthlens::test
