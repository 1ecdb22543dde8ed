// SPDX-License-Identifier: Apache-2.0
// Phi-3 and Phi-4: Llama with q, k, v in one tensor and gate, up in another, perhaps a part of each head
// rotated.
#pragma once

#include "depthlens/model/families/llama.hpp"

namespace depthlens::families {

inline constexpr tensor_rule phi3_block[] = {
    {"attn_norm", "input_layernorm", extent::width, extent::one},
    {"q", "self_attn.qkv_proj", extent::query, extent::width, bias_of::nothing, false, fused_in::qkv, 0},
    {"k", "self_attn.qkv_proj", extent::key_value, extent::width, bias_of::nothing, false, fused_in::qkv, 1},
    {"v", "self_attn.qkv_proj", extent::key_value, extent::width, bias_of::nothing, false, fused_in::qkv, 2},
    {"o", "self_attn.o_proj", extent::width, extent::query},
    {"ffn_norm", "post_attention_layernorm", extent::width, extent::one},
    {"gate", "mlp.gate_up_proj", extent::feed_forward, extent::width, bias_of::nothing, false,
     fused_in::gate_up, 0},
    {"up", "mlp.gate_up_proj", extent::feed_forward, extent::width, bias_of::nothing, false,
     fused_in::gate_up, 1},
    {"down", "mlp.down_proj", extent::width, extent::feed_forward},
};

inline constexpr model_family phi3 = {
    .name = "phi3",
    .positions = {"max_position_embeddings", 4096},
    .eps = 1e-5,
    .harmless = "auto_map full_attn_mod interpolate_factor original_max_position_embeddings",
    .rope = {.used = true, .part_varies = true, .original_positions = 4096},
    .windows = windowed::all,
    .window_lists = false,
    .tensors = {model_prefix, "layers.", llama_outside, phi3_block, llama_final_norm, llama_head,
                rotary_tables, ""},
};

}  // namespace depthlens::families
