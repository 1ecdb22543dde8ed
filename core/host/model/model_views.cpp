// SPDX-License-Identifier: Apache-2.0
#include "model/model_views.hpp"

#include "depthlens/base/abi_error.hpp"
#include "depthlens/model/model_ops.hpp"

#include <set>
#include <string_view>

namespace depthlens {
namespace {

// Views the part's vectors.
dlens_attention c_attention(const attention_part& a) {
  return {.size = sizeof(dlens_attention),
          .n_heads = a.n_heads,
          .n_kv_heads = a.n_kv_heads,
          .head_dim = a.head_dim,
          .value_dim = a.value_dim,
          .window = a.window,
          .rope_kind = static_cast<std::uint32_t>(a.rope),
          .rope_dims = a.rope_dims,
          .rope_begin = a.rope_begin,
          .kv_layer = a.kv_layer,
          .q_rank = a.q_rank,
          .kv_rank = a.kv_rank,
          .alibi = static_cast<std::uint32_t>(a.alibi),
          .reserved = 0,
          .scale = a.scale,
          .softcap = a.softcap,
          .clip = a.clip,
          .rope_scale = a.rope_scale,
          .latent_norm_eps = a.latent_norm_eps,
          .rope_inverse_frequency = a.rope_dims > 0 ? a.rope_inv_freq.values().data() : nullptr,
          .alibi_slopes = a.alibi_slopes.values().empty() ? nullptr : a.alibi_slopes.values().data(),
          .rope_long_inverse_frequency = a.rope_dims > 0 && !a.rope_long_inv_freq.values().empty()
                                             ? a.rope_long_inv_freq.values().data()
                                             : nullptr};
}

dlens_delta_rule c_delta_rule(const delta_part& d) {
  return {.size = sizeof(dlens_delta_rule),
          .n_key_heads = d.n_key_heads,
          .n_value_heads = d.n_value_heads,
          .key_dim = d.key_dim,
          .value_dim = d.value_dim,
          .conv_width = d.conv_width};
}

dlens_experts c_experts(const expert_part& e) {
  return {.size = sizeof(dlens_experts),
          .n_experts = e.n_experts,
          .n_used = e.n_used,
          .d_ff = e.d_ff,
          .d_shared = e.d_shared,
          .router = static_cast<std::uint32_t>(e.router),
          .normalised = e.normalised ? 1u : 0u,
          .group_score = static_cast<std::uint32_t>(e.groups),
          .n_groups = e.n_groups,
          .groups_used = e.groups_used,
          .scale = e.scale};
}

// Views the tensor's name and bytes.
dlens_tensor c_tensor(const tensor_view& t) {
  dlens_tensor c{.size = sizeof c,
                 .dtype = static_cast<std::uint32_t>(t.type),
                 .name = to_text(t.name),
                 .n_dims = t.shape.size(),
                 .shape = {},
                 .data = t.data,
                 .bytes = t.bytes,
                 .row_group = t.row_group,
                 .group_stride = t.group_stride,
                 .row_stride = t.row_stride,
                 .column_stride = t.column_stride,
                 .scales = t.scales,
                 .scale_bytes = t.scale_bytes};
  for (std::size_t i = 0; i < t.shape.size(); ++i) c.shape[i] = t.shape[i];
  return c;
}

}  // namespace

void model_views::view_blocks(const architecture& a) {
  for (const block_part& b : a.blocks) {
    views_of_block& to = blocks_.emplace_back();
    if (b.attention) to.attention = c_attention(*b.attention);
    if (b.delta) to.delta = c_delta_rule(*b.delta);
    if (b.experts) to.experts = c_experts(*b.experts);
    to.block = {.size = sizeof(dlens_block),
                .form = static_cast<std::uint32_t>(b.form),
                .d_ff = b.d_ff,
                .activation = static_cast<std::uint32_t>(b.activation),
                .attention = b.attention ? &to.attention : nullptr,
                .delta_rule = b.delta ? &to.delta : nullptr,
                .experts = b.experts ? &to.experts : nullptr,
                .activation_alpha = b.activation_alpha,
                .activation_limit = b.activation_limit,
                .residual_scale = b.residual_scale,
                .output_scale = b.output_scale};
    block_pointers_.push_back(&to.block);
  }
}

void model_views::view_architecture(const architecture& a) {
  view_blocks(a);
  if (a.layer_inputs)
    layer_inputs_ = {.size = sizeof layer_inputs_,
                     .dim = a.layer_inputs->dim,
                     .vocab_size = a.layer_inputs->vocab_size,
                     .reserved = 0,
                     .embed_scale = a.layer_inputs->embed_scale,
                     .projection_scale = a.layer_inputs->projection_scale,
                     .sum_scale = a.layer_inputs->sum_scale};
  architecture_ = {.size = sizeof architecture_,
                   .n_layers = a.n_layers,
                   .d_model = a.d_model,
                   .vocab_size = a.vocab_size,
                   .max_positions = a.max_positions,
                   .norm_kind = static_cast<std::uint32_t>(a.norm),
                   .position_offset = a.position_offset,
                   .embed_dim = a.embed_dim,
                   .norm_eps = a.norm_eps,
                   .norm_offset = a.norm_offset,
                   .embed_scale = a.embed_scale,
                   .final_softcap = a.final_softcap,
                   .blocks = block_pointers_.data(),
                   .layer_inputs = a.layer_inputs ? &layer_inputs_ : nullptr,
                   .ops = nullptr,
                   .n_ops = 0,
                   .long_positions = a.long_positions,
                   .reserved = 0};
}

model_views::model_views(const model_files& files) {
  std::set<std::string_view> names;
  for (const tensor_view& t : files.tensors()) {
    tensors_.push_back(c_tensor(t));
    names.insert(t.name);
  }
  for (const dlens_tensor& t : tensors_) tensor_pointers_.push_back(&t);
  view_architecture(files.arch());
  ops_ = ops_of(architecture_, names);
  architecture_.ops = ops_.data();
  architecture_.n_ops = ops_.size();
  weights_ = {.size = sizeof weights_,
              .architecture = &architecture_,
              .tensors = tensor_pointers_.data(),
              .n_tensors = tensor_pointers_.size()};
}

}  // namespace depthlens
