// SPDX-License-Identifier: Apache-2.0
// OLMo: 1, whose layer norms have no weights and whose queries, keys and values may be cut; 2, with norms
// behind each part instead of before it; 3, with windows in three of four layers.
#pragma once

#include "depthlens/base/error.hpp"
#include "depthlens/model/families/llama.hpp"

namespace depthlens::families {

inline constexpr tensor_rule olmo1_block[] = {
    {"attn_norm", "", extent::width, extent::one, bias_of::nothing, false, fused_in::nothing, 0, only_in::any,
     made::ones},
    {"q", "self_attn.q_proj", extent::query, extent::width, bias_of::attention},
    {"k", "self_attn.k_proj", extent::key_value, extent::width, bias_of::attention},
    {"v", "self_attn.v_proj", extent::key_value, extent::width, bias_of::attention},
    {"o", "self_attn.o_proj", extent::width, extent::query, bias_of::attention},
    {"ffn_norm", "", extent::width, extent::one, bias_of::nothing, false, fused_in::nothing, 0, only_in::any,
     made::ones},
    {"gate", "mlp.gate_proj", extent::feed_forward, extent::width},
    {"up", "mlp.up_proj", extent::feed_forward, extent::width},
    {"down", "mlp.down_proj", extent::width, extent::feed_forward},
};
inline constexpr tensor_rule olmo2_block[] = {
    {"q", "self_attn.q_proj", extent::query, extent::width, bias_of::attention},
    {"k", "self_attn.k_proj", extent::key_value, extent::width, bias_of::attention},
    {"v", "self_attn.v_proj", extent::key_value, extent::width, bias_of::attention},
    {"o", "self_attn.o_proj", extent::width, extent::query, bias_of::attention},
    {"q_norm", "self_attn.q_norm", extent::query, extent::one},
    {"k_norm", "self_attn.k_norm", extent::key_value, extent::one},
    {"attn_post_norm", "post_attention_layernorm", extent::width, extent::one},
    {"gate", "mlp.gate_proj", extent::feed_forward, extent::width},
    {"up", "mlp.up_proj", extent::feed_forward, extent::width},
    {"down", "mlp.down_proj", extent::width, extent::feed_forward},
    {"ffn_post_norm", "post_feedforward_layernorm", extent::width, extent::one},
};

inline void read_olmo1(const json_view& config, architecture& a) {
  const auto clip = config.find_double("clip_qkv");
  if (!clip) return;
  if (!(*clip > 0))
    fail(status::data, config.place(), "clip_qkv is ", *clip, ", expected more than 0, or null");
  a.each_block([&](block_part& b) { b.attention->clip = *clip; });
}

inline constexpr tensor_table olmo2_tensors = {model_prefix,     "layers.",  llama_outside, olmo2_block,
                                               llama_final_norm, llama_head, rotary_tables};

inline constexpr model_family olmo = {
    .name = "olmo",
    .positions = {"max_position_embeddings", 2048},
    .eps_key = nullptr,
    .eps = 1e-5,
    .keys = "attention_bias clip_qkv",
    .norm = norm_kind::layer,
    .more = read_olmo1,
    .tensors = {model_prefix,
                "layers.",
                llama_outside,
                olmo1_block,
                {"final_norm", "", extent::width, extent::one, bias_of::nothing, false, fused_in::nothing, 0,
                 only_in::any, made::ones},
                llama_head,
                rotary_tables},
};
inline constexpr model_family olmo2 = {
    .name = "olmo2",
    .positions = {"max_position_embeddings", 2048},
    .eps = 1e-5,
    .keys = "attention_bias",
    .tensors = olmo2_tensors,
};
inline constexpr model_family olmo3 = {
    .name = "olmo3",
    .positions = {"max_position_embeddings", 2048},
    .eps = 1e-5,
    .keys = "attention_bias",
    .rope = {.used = true, .theta = 500000, .local = true, .local_theta = 500000, .flat_too = true},
    .windows = windowed::patterned,
    .window = 4096,
    .pattern = 4,
    .tensors = olmo2_tensors,
};

}  // namespace depthlens::families
