// SPDX-License-Identifier: Apache-2.0
// Llama and what is built like it but for a part or two: Mistral (windows), Qwen 2 (biases of q, k and v),
// Qwen 3 (norms of q and k).
#pragma once

#include <string_view>

#include "depthlens/model/families/family.hpp"

namespace depthlens::families {

inline constexpr std::string_view model_prefix[] = {"model.", ""};
inline constexpr tensor_rule llama_outside[] = {{"embed", "embed_tokens", extent::vocabulary, extent::width}};
inline constexpr tensor_rule llama_final_norm = {"final_norm", "norm", extent::width, extent::one};
inline constexpr tensor_rule llama_head = {"unembed", "lm_head", extent::vocabulary, extent::width};
inline constexpr std::string_view rotary_tables = ".rotary_emb.inv_freq";  // saved by old converters

inline constexpr tensor_rule llama_block[] = {
    {"attn_norm", "input_layernorm", extent::width, extent::one},
    {"q", "self_attn.q_proj", extent::query, extent::width, bias_of::attention},
    {"k", "self_attn.k_proj", extent::key_value, extent::width, bias_of::attention},
    {"v", "self_attn.v_proj", extent::key_value, extent::width, bias_of::attention},
    {"o", "self_attn.o_proj", extent::width, extent::query, bias_of::attention},
    {"ffn_norm", "post_attention_layernorm", extent::width, extent::one},
    {"gate", "mlp.gate_proj", extent::feed_forward, extent::width, bias_of::mlp},
    {"up", "mlp.up_proj", extent::feed_forward, extent::width, bias_of::mlp},
    {"down", "mlp.down_proj", extent::width, extent::feed_forward, bias_of::mlp},
};
inline constexpr tensor_rule qwen2_block[] = {
    {"attn_norm", "input_layernorm", extent::width, extent::one},
    {"q", "self_attn.q_proj", extent::query, extent::width, bias_of::always},
    {"k", "self_attn.k_proj", extent::key_value, extent::width, bias_of::always},
    {"v", "self_attn.v_proj", extent::key_value, extent::width, bias_of::always},
    {"o", "self_attn.o_proj", extent::width, extent::query},
    {"ffn_norm", "post_attention_layernorm", extent::width, extent::one},
    {"gate", "mlp.gate_proj", extent::feed_forward, extent::width},
    {"up", "mlp.up_proj", extent::feed_forward, extent::width},
    {"down", "mlp.down_proj", extent::width, extent::feed_forward},
};
inline constexpr tensor_rule qwen3_block[] = {
    {"attn_norm", "input_layernorm", extent::width, extent::one},
    {"q", "self_attn.q_proj", extent::query, extent::width, bias_of::attention},
    {"k", "self_attn.k_proj", extent::key_value, extent::width, bias_of::attention},
    {"v", "self_attn.v_proj", extent::key_value, extent::width, bias_of::attention},
    {"o", "self_attn.o_proj", extent::width, extent::query, bias_of::attention},
    {"q_norm", "self_attn.q_norm", extent::head, extent::one},
    {"k_norm", "self_attn.k_norm", extent::head, extent::one},
    {"ffn_norm", "post_attention_layernorm", extent::width, extent::one},
    {"gate", "mlp.gate_proj", extent::feed_forward, extent::width},
    {"up", "mlp.up_proj", extent::feed_forward, extent::width},
    {"down", "mlp.down_proj", extent::width, extent::feed_forward},
};

inline constexpr tensor_table llama_tensors = {model_prefix,     "layers.",  llama_outside, llama_block,
                                               llama_final_norm, llama_head, rotary_tables};
inline constexpr tensor_table qwen2_tensors = {model_prefix,     "layers.",  llama_outside, qwen2_block,
                                               llama_final_norm, llama_head, rotary_tables};
inline constexpr tensor_table qwen3_tensors = {model_prefix,     "layers.",  llama_outside, qwen3_block,
                                               llama_final_norm, llama_head, rotary_tables};

inline constexpr model_family llama = {
    .name = "llama",
    .positions = {"max_position_embeddings", 2048},
    .keys = "attention_bias mlp_bias",
    .harmless = "is_llama_config max_sequence_length",
    .tensors = llama_tensors,
};
inline constexpr model_family mistral = {
    .name = "mistral",
    .kv_heads = {"num_key_value_heads", size_key::required},
    .positions = {"max_position_embeddings", 131072},
    .windows = windowed::all,
    .window = 4096,
    .tensors = llama_tensors,
};
inline constexpr model_family qwen2 = {
    .name = "qwen2",
    .kv_heads = {"num_key_value_heads", size_key::required},
    .positions = {"max_position_embeddings", 32768},
    .windows = windowed::upper,
    .window = 4096,
    .tensors = qwen2_tensors,
};
inline constexpr model_family qwen3 = {
    .name = "qwen3",
    .kv_heads = {"num_key_value_heads", size_key::required},
    .head_dim = {"head_dim", 128},
    .positions = {"max_position_embeddings", 32768},
    .keys = "attention_bias",
    .windows = windowed::upper,
    .window = 4096,
    .tensors = qwen3_tensors,
};

}  // namespace depthlens::families
