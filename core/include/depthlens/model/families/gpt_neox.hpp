// SPDX-License-Identifier: Apache-2.0
// GPT-NeoX and Pythia: attention and MLP beside each other or in turn, q, k and v interleaved by head, a part
// of each head rotated.
#pragma once

#include <string_view>

#include "depthlens/model/families/family.hpp"

namespace depthlens::families {

inline constexpr std::string_view gpt_neox_prefix[] = {"gpt_neox.", ""};
inline constexpr tensor_rule gpt_neox_outside[] = {{"embed", "embed_in", extent::vocabulary, extent::width}};
inline constexpr tensor_rule gpt_neox_block[] = {
    {"attn_norm", "input_layernorm", extent::width, extent::one, bias_of::always},
    {"q", "attention.query_key_value", extent::query, extent::width, bias_of::attention, false,
     fused_in::qkv_by_group, 0},
    {"k", "attention.query_key_value", extent::key_value, extent::width, bias_of::attention, false,
     fused_in::qkv_by_group, 1},
    {"v", "attention.query_key_value", extent::key_value, extent::width, bias_of::attention, false,
     fused_in::qkv_by_group, 2},
    {"o", "attention.dense", extent::width, extent::query, bias_of::attention},
    {"ffn_norm", "post_attention_layernorm", extent::width, extent::one, bias_of::always},
    {"up", "mlp.dense_h_to_4h", extent::feed_forward, extent::width, bias_of::always},
    {"down", "mlp.dense_4h_to_h", extent::width, extent::feed_forward, bias_of::always},
};

inline void read_gpt_neox(const json_view& config, architecture& a) {
  const bool parallel = config_flag(config, "use_parallel_residual", true);
  a.each_block([&](block_part& b) { b.form = parallel ? block_form::parallel : block_form::sequential; });
}

inline constexpr model_family gpt_neox = {
    .name = "gpt_neox",
    .kv_heads = {},
    .head_dim = {},
    .positions = {"max_position_embeddings", 2048},
    .eps_key = "layer_norm_eps",
    .eps = 1e-5,
    .activation = "gelu",
    .keys = "attention_bias use_parallel_residual",
    .norm = norm_kind::layer,
    .attention_bias = true,
    .rope = {.used = true,
             .theta_key = "rotary_emb_base",
             .part_key = "rotary_pct",
             .part = 0.25,
             .part_varies = true},
    .more = read_gpt_neox,
    .tensors = {gpt_neox_prefix,
                "layers.",
                gpt_neox_outside,
                gpt_neox_block,
                {"final_norm", "final_layer_norm", extent::width, extent::one, bias_of::always},
                {"unembed", "embed_out", extent::vocabulary, extent::width},
                ".rotary_emb.inv_freq .attention.bias .attention.masked_bias",
                ""},
};

}  // namespace depthlens::families
