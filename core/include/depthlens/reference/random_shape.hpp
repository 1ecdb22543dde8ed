// SPDX-License-Identifier: Apache-2.0
// What small models with random weights are made of: random_model.hpp makes them.
#pragma once

#include "depthlens/abi/backend.h"

#include <cmath>
#include <cstdint>
#include <optional>
#include <vector>

namespace depthlens::reference {

// own_heads: with weights of its own for each head.
enum class qk_norm { none, each_head, all_heads, own_heads };

// Of low rank; values are value_dim wide, and the last rope_dims of a key are shared.
struct latent_shape {
  std::uint32_t q_rank = 0, kv_rank = 20, value_dim = 16;
};

struct delta_shape {
  std::uint32_t key_heads = 2, value_heads = 4, key_dim = 8, value_dim = 12, conv_width = 4;
  std::vector<bool> layers{};  // (layers) that have it instead of attention; empty: all
};

struct expert_shape {
  std::uint32_t n = 5, used = 2, inner = 24, shared = 0;
  std::uint32_t router = DLENS_ROUTER_SOFTMAX, group_score = DLENS_GROUPS_NONE, groups = 0, groups_used = 0;
  bool normalised = false, correction = false, shared_router = false, norms = false;
  bool dense_too = false;          // beside a dense part
  std::uint32_t dense_layers = 0;  // the first ones, which have a dense part alone
  double scale = 1;
};

struct model_shape {
  std::uint32_t layers = 3, width = 48, heads = 4, kv_heads = 2, head_dim = 12, inner = 80, vocabulary = 203;
  std::uint32_t rope_kind = DLENS_ROPE_HALF, rope_dims = 12, max_positions = 700;
  bool tied = true, biased = false;
  std::uint32_t seed = 1;
  // Parts in which families differ.
  std::uint32_t norm_kind = DLENS_NORM_RMS, activation = DLENS_ACTIVATION_SILU,
                block_form = DLENS_BLOCK_SEQUENTIAL;
  bool attn_norm = true, ffn_norm = true, post_norms = false, norm_biases = false;
  bool gated = true, biased_qkv = false, biased_inner = false, biased_unembed = false;
  qk_norm qk = qk_norm::none;
  bool learned_positions = false, local_rope = false;
  std::uint32_t position_offset = 0;
  double norm_offset = 0, embed_scale = 1, attention_scale = 0;  // scale 0: 1 / sqrt(head_dim)
  double attention_softcap = 0, final_softcap = 0;
  double rope_scale = 1;                 // in layers without a window, or without local_rope
  std::uint32_t long_positions = 0;      // in those layers longer sequences have other frequencies; 0 = none
  std::vector<std::uint32_t> windows{};  // (layers) or empty
  std::vector<bool> no_rope{};           // (layers) or empty
  bool v_norm = false, attn_gate = false, sinks = false, embed_norm = false, final_norm = true;
  std::uint32_t alibi = DLENS_ALIBI_NONE;
  double clip = 0, residual_scale = 1, output_scale = 1;
  double activation_alpha = 1.7, activation_limit = 1.2;
  std::uint32_t shared_kv_layers = 0;  // the last ones, which take keys and values of the one before them
  std::uint32_t embed_dim = 0;         // 0: width
  std::uint32_t layer_inputs = 0;      // width, 0 = none
  std::optional<latent_shape> latent{};
  std::optional<delta_shape> delta{};
  std::optional<expert_shape> experts{};

  bool is_delta(std::uint32_t layer) const {
    return delta && (delta->layers.empty() || delta->layers[layer]);
  }
  bool has_experts(std::uint32_t layer) const { return experts && layer >= experts->dense_layers; }
  bool has_dense(std::uint32_t layer) const { return !has_experts(layer) || experts->dense_too; }
  std::uint32_t window(std::uint32_t layer) const { return windows.empty() ? 0 : windows[layer]; }
  std::uint32_t kv_layer(std::uint32_t layer) const {
    return layer + shared_kv_layers >= layers ? layers - shared_kv_layers - 1 : layer;
  }
  std::uint32_t value_dim() const { return latent ? latent->value_dim : head_dim; }
  double scale_of_scores() const {
    return attention_scale != 0 ? attention_scale : 1 / std::sqrt(static_cast<double>(head_dim));
  }
};

}  // namespace depthlens::reference
