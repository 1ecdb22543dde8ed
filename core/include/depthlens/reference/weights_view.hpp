// SPDX-License-Identifier: Apache-2.0
// A random model as a host hands it to a backend.
#pragma once

#include "depthlens/abi/backend.h"
#include "depthlens/base/error.hpp"
#include "depthlens/model/model_ops.hpp"
#include "depthlens/reference/random_model.hpp"

#include <cstdint>
#include <deque>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace depthlens::reference {

// The C view of a model; valid as long as the model and this object.
class weights_view {
 public:
  explicit weights_view(const random_model& model) : model_(model) {
    const model_shape& s = model.shape;
    for (std::uint32_t i = 0; i < s.layers; ++i) add_block(i);
    layer_inputs = {.size = sizeof layer_inputs,
                    .dim = s.layer_inputs,
                    .vocab_size = s.vocabulary,
                    .reserved = 0,
                    .embed_scale = 1.5,
                    .projection_scale = 0.3,
                    .sum_scale = 0.7};
    architecture = {.size = sizeof architecture,
                    .n_layers = s.layers,
                    .d_model = s.width,
                    .vocab_size = s.vocabulary,
                    .max_positions = s.max_positions,
                    .norm_kind = s.norm_kind,
                    .position_offset = s.position_offset,
                    .embed_dim = s.embed_dim != 0 ? s.embed_dim : s.width,
                    .norm_eps = 1e-5,
                    .norm_offset = s.norm_offset,
                    .embed_scale = s.embed_scale,
                    .final_softcap = s.final_softcap,
                    .blocks = block_pointers_.data(),
                    .layer_inputs = s.layer_inputs > 0 ? &layer_inputs : nullptr,
                    .ops = nullptr,
                    .n_ops = 0,
                    .long_positions = s.long_positions,
                    .reserved = 0};
    std::set<std::string_view> names;
    for (const auto& [name, m] : model.tensors) {
      add_tensor(name, m);
      names.insert(name);
    }
    ops_ = ops_of(architecture, names);
    architecture.ops = ops_.data();
    architecture.n_ops = ops_.size();
    weights = {.size = sizeof weights,
               .reserved = 0,
               .architecture = &architecture,
               .tensors = pointers_.data(),
               .n_tensors = pointers_.size()};
  }
  weights_view(const weights_view&) = delete;
  weights_view& operator=(const weights_view&) = delete;

  dlens_tensor& tensor(const std::string& name) {
    for (dlens_tensor& t : tensors_) {
      if (std::string(t.name.data, t.name.size) == name) return t;
    }
    fail(status::internal, "the random model has no tensor ", name);
  }

  // Of the blocks, to be changed; what a block has not is not looked at.
  std::deque<dlens_attention> attention;  // (n_layers)
  std::deque<dlens_delta_rule> delta_rule;
  std::deque<dlens_experts> experts;
  std::deque<dlens_block> blocks;
  dlens_layer_inputs layer_inputs;
  dlens_architecture architecture;
  dlens_weights weights;

 private:
  void add_block(std::uint32_t layer) {
    const model_shape& s = model_.shape;
    add_attention(layer);
    const delta_shape r = s.delta.value_or(delta_shape{});
    delta_rule.push_back({.size = sizeof(dlens_delta_rule),
                          .n_key_heads = r.key_heads,
                          .n_value_heads = r.value_heads,
                          .key_dim = r.key_dim,
                          .value_dim = r.value_dim,
                          .conv_width = r.conv_width});
    const expert_shape e = s.experts.value_or(expert_shape{});
    experts.push_back({.size = sizeof(dlens_experts),
                       .n_experts = e.n,
                       .n_used = e.used,
                       .d_ff = e.inner,
                       .d_shared = e.shared,
                       .router = e.router,
                       .normalised = e.normalised ? 1u : 0u,
                       .group_score = e.group_score,
                       .n_groups = e.groups,
                       .groups_used = e.groups_used,
                       .scale = e.scale});
    blocks.push_back({.size = sizeof(dlens_block),
                      .form = s.block_form,
                      .d_ff = s.has_dense(layer) ? s.inner : 0,
                      .activation = s.activation,
                      .attention = s.is_delta(layer) ? nullptr : &attention.back(),
                      .delta_rule = s.is_delta(layer) ? &delta_rule.back() : nullptr,
                      .experts = s.has_experts(layer) ? &experts.back() : nullptr,
                      .activation_alpha = s.activation_alpha,
                      .activation_limit = s.activation_limit,
                      .residual_scale = s.residual_scale,
                      .output_scale = s.output_scale});
    block_pointers_.push_back(&blocks.back());
  }

  void add_attention(std::uint32_t layer) {
    const model_shape& s = model_.shape;
    const bool local = s.local_rope && s.window(layer) != 0;
    const bool turned = s.rope_dims > 0 && (s.no_rope.empty() || !s.no_rope[layer]);
    const auto& frequency = local ? model_.local_inverse_frequency : model_.inverse_frequency;
    attention.push_back({.size = sizeof(dlens_attention),
                         .n_heads = s.heads,
                         .n_kv_heads = s.latent ? s.heads : s.kv_heads,
                         .head_dim = s.head_dim,
                         .value_dim = s.value_dim(),
                         .window = s.window(layer),
                         .rope_kind = s.rope_kind,
                         .rope_dims = turned ? s.rope_dims : 0,
                         .rope_begin = s.latent ? s.head_dim - s.rope_dims : 0,
                         .kv_layer = s.kv_layer(layer),
                         .q_rank = s.latent ? s.latent->q_rank : 0,
                         .kv_rank = s.latent ? s.latent->kv_rank : 0,
                         .alibi = s.alibi,
                         .reserved = 0,
                         .scale = s.scale_of_scores(),
                         .softcap = s.attention_softcap,
                         .clip = s.clip,
                         .rope_scale = local ? 1 : s.rope_scale,
                         .latent_norm_eps = 1e-4,
                         .rope_inverse_frequency = turned ? frequency.data() : nullptr,
                         .alibi_slopes = s.alibi != DLENS_ALIBI_NONE ? model_.alibi_slopes.data() : nullptr,
                         .rope_long_inverse_frequency = turned && !local && s.long_positions > 0
                                                            ? model_.long_inverse_frequency.data()
                                                            : nullptr});
  }

  void add_tensor(const std::string& name, const matrix& m) {
    dlens_tensor& t = tensors_.emplace_back();
    t = {.size = sizeof(dlens_tensor),
         .dtype = DLENS_DTYPE_F32,
         .name = {name.data(), name.size()},
         .n_dims = 2,
         .shape = {m.rows, m.columns, 0, 0},
         .data = m.values.data(),
         .bytes = m.values.size() * sizeof(float),
         .row_group = m.rows,
         .group_stride = m.rows,
         .row_stride = m.columns,
         .column_stride = 1,
         .scales = nullptr,
         .scale_bytes = 0};
    if (m.vector) {
      t.n_dims = 1;
      t.shape[0] = t.row_group = t.group_stride = m.columns;
      t.shape[1] = 0;
      t.row_stride = 1;
    }
    pointers_.push_back(&t);
  }

  const random_model& model_;
  std::vector<const dlens_block*> block_pointers_;
  std::vector<const char*> ops_;
  std::deque<dlens_tensor> tensors_;
  std::vector<const dlens_tensor*> pointers_;
};

}  // namespace depthlens::reference
