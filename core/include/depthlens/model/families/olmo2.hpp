// SPDX-License-Identifier: Apache-2.0
// OLMo 2: norms after attention and MLP instead of before, and over the whole width of q and k.
#pragma once

#include "depthlens/model/families/llama.hpp"

namespace depthlens::families {

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

inline constexpr model_family olmo2 = {
    .name = "olmo2",
    .positions = {"max_position_embeddings", 2048},
    .eps = 1e-5,
    .keys = "attention_bias",
    .tensors = {model_prefix, "layers.", llama_outside, olmo2_block, llama_final_norm, llama_head,
                rotary_tables, ""},
};

}  // namespace depthlens::families
