// SPDX-License-Identifier: Apache-2.0
// Refuses numbers that no model has, before anything is multiplied by them.
#pragma once

#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include "depthlens/base/error.hpp"
#include "depthlens/model/architecture.hpp"

namespace depthlens {

namespace detail {

class architecture_check {
 public:
  explicit architecture_check(std::string_view label) : label_(label) {}

  void whole(const architecture& a) const {
    within("the number of layers", a.n_layers, size_limits::layers);
    within("the model width", a.d_model, size_limits::width);
    within("the embedding width", a.embed_dim, size_limits::width);
    within("the vocabulary size", a.vocab_size, size_limits::any);
    within("the number of positions", a.max_positions, size_limits::any);
    if (!(a.norm_eps >= 0 && a.norm_eps < 1))
      fail(status::data, label_, ": the norm epsilon is ", a.norm_eps, ", expected 0 to 1");
    sane("the embedding scale", a.embed_scale, 1e-6);
    sane("the scale of the logits", a.logit_scale, 1e-6);
    sane("the final soft cap", a.final_softcap, 0);
  }

  void block(const block_part& b) const {
    if (b.d_ff > 0 || !b.experts) within("the feed-forward width", b.d_ff, size_limits::any);
    if (b.attention) attention(*b.attention);
    if (b.delta) delta(*b.delta);
    if (b.experts) experts(*b.experts);
    sane("the residual scale", b.residual_scale, 1e-6);
    if (!(std::abs(b.output_scale) < 1e6))
      fail(status::data, label_, ": a layer's scale is ", b.output_scale, ", which no model has");
  }

 private:
  // keys: what folders and GGUF files call it.
  void within(const char* what, std::uint32_t value, std::uint32_t top, const char* keys = "") const {
    if (value < 1 || value > top)
      fail(status::data, label_, ": ", what, " is ", value, ", expected 1 to ", top, keys);
  }
  void sane(const char* what, double value, double least) const {
    if (!(value >= least && value < 1e6))
      fail(status::data, label_, ": ", what, " is ", value, ", which no model has");
  }
  void fits(std::uint32_t n, std::uint32_t size) const {
    if (std::uint64_t{n} * size > size_limits::any)
      fail(status::data, label_, ": ", n, " heads of size ", size, " are too many");
  }

  void attention(const attention_part& a) const {
    within("the number of attention heads", a.n_heads, size_limits::heads);
    within("the number of key-value heads", a.n_kv_heads, a.n_heads);
    within("the head size", a.head_dim, size_limits::head_dim);
    within("the head size of values", a.value_dim, size_limits::head_dim);
    if (a.n_heads % a.n_kv_heads != 0) {
      fail(status::data, label_, ": ", a.n_heads, " attention heads cannot share ", a.n_kv_heads,
           " key-value heads");
    }
    fits(a.n_heads, a.head_dim);
    fits(a.n_heads, a.value_dim);
    if (a.rope_dims % 2 != 0 || a.rope_begin > a.head_dim || a.rope_dims > a.head_dim - a.rope_begin) {
      fail(status::data, label_, ": ", a.rope_dims,
           " rotary dimensions, expected an even number up to the head size ", a.head_dim);
    }
    for (const shared_numbers* set : {&a.rope_inv_freq, &a.rope_long_inv_freq})
      for (const float freq : set->values())
        if (!std::isfinite(freq) || freq < 0)
          fail(status::data, label_, ": the rotary frequencies are not finite");
    sane("the attention scale", a.scale, 1e-6);
    sane("the rope attention factor", a.rope_scale, 1e-6);
    sane("the attention soft cap", a.softcap, 0);
    sane("the clip of queries, keys and values", a.clip, 0);
  }

  void delta(const delta_part& d) const {
    within("the number of key heads of linear attention", d.n_key_heads, size_limits::heads);
    within("the number of value heads of linear attention", d.n_value_heads, size_limits::heads);
    within("the key size of linear attention", d.key_dim, size_limits::head_dim);
    within("the value size of linear attention", d.value_dim, size_limits::head_dim);
    within("the width of the convolution", d.conv_width, 64);
    fits(d.n_value_heads, d.value_dim);
    fits(d.n_value_heads, d.key_dim);
    if (d.n_value_heads % d.n_key_heads != 0) {
      fail(status::data, label_, ": ", d.n_value_heads, " value heads of linear attention cannot share ",
           d.n_key_heads, " key heads");
    }
  }

  void experts(const expert_part& e) const {
    within("the number of experts", e.n_experts, size_limits::heads);
    within("the number of experts used for a token", e.n_used, e.n_experts,
           " (num_experts_per_tok; expert_used_count in GGUF)");
    within("the feed-forward width of an expert", e.d_ff, size_limits::any);
    sane("the scale of the experts", e.scale, 1e-6);
    if (e.groups == group_kind::none) return;
    within("the number of groups of experts", e.n_groups, e.n_experts);
    within("the number of groups used for a token", e.groups_used, e.n_groups,
           " (topk_group; expert_group_used_count in GGUF)");
    if (e.n_experts % e.n_groups != 0)
      fail(status::data, label_, ": ", e.n_experts, " experts are not ", e.n_groups, " groups");
    if (e.n_used > e.groups_used * (e.n_experts / e.n_groups))
      fail(status::data, label_, ": ", e.n_used, " experts are used for a token, of ", e.groups_used,
           " groups of ", e.n_experts / e.n_groups);
  }

  std::string label_;
};

}  // namespace detail

// `label` is the file the numbers came from. Errors: status::data.
inline void check_architecture(const architecture& a, std::string_view label) {
  const detail::architecture_check check(label);
  check.whole(a);
  for (const block_part& b : a.blocks) check.block(b);
}

}  // namespace depthlens
