// SPDX-License-Identifier: Apache-2.0
// Families of today's form with layer norms: Phi 1 and 2 (parallel blocks with biases), StableLM (biases and
// norms of heads where asked), StarCoder 2 (biases, no gate).
#pragma once

#include "depthlens/base/error.hpp"
#include "depthlens/model/families/experts.hpp"
#include "depthlens/model/families/llama.hpp"

namespace depthlens::families {

inline constexpr tensor_rule phi_block[] = {
    {"attn_norm", "input_layernorm", extent::width, extent::one, bias_of::always},
    {"q", "self_attn.q_proj", extent::query, extent::width, bias_of::always},
    {"k", "self_attn.k_proj", extent::key_value, extent::width, bias_of::always},
    {"v", "self_attn.v_proj", extent::key_value, extent::width, bias_of::always},
    {"o", "self_attn.dense", extent::width, extent::query, bias_of::always},
    {"q_norm", "self_attn.q_layernorm", extent::head, extent::one, bias_of::always, false, whole, 0,
     only_in::head_norms},
    {"k_norm", "self_attn.k_layernorm", extent::head, extent::one, bias_of::always, false, whole, 0,
     only_in::head_norms},
    {"up", "mlp.fc1", extent::feed_forward, extent::width, bias_of::always},
    {"down", "mlp.fc2", extent::width, extent::feed_forward, bias_of::always},
};
inline constexpr tensor_rule stablelm_block[] = {
    {"attn_norm", "input_layernorm", extent::width, extent::one, bias_of::always},
    {"q", "self_attn.q_proj", extent::query, extent::width, bias_of::attention},
    {"k", "self_attn.k_proj", extent::key_value, extent::width, bias_of::attention},
    {"v", "self_attn.v_proj", extent::key_value, extent::width, bias_of::attention},
    {"o", "self_attn.o_proj", extent::width, extent::query},
    {"q_norm", "self_attn.q_layernorm.norms.#", extent::heads, extent::head, plain, false, whole, 0,
     only_in::head_norms, made::stacked},
    {"k_norm", "self_attn.k_layernorm.norms.#", extent::kv_heads, extent::head, plain, false, whole, 0,
     only_in::head_norms, made::stacked},
    {"ffn_norm", "post_attention_layernorm", extent::width, extent::one, bias_of::always},
    {"gate", "mlp.gate_proj", extent::feed_forward, extent::width},
    {"up", "mlp.up_proj", extent::feed_forward, extent::width},
    {"down", "mlp.down_proj", extent::width, extent::feed_forward},
};
// In parallel blocks both parts see the same norm.
inline constexpr tensor_rule stablelm_parallel_block[] = {
    {"attn_norm", "input_layernorm", extent::width, extent::one, bias_of::always},
    {"q", "self_attn.q_proj", extent::query, extent::width, bias_of::attention},
    {"k", "self_attn.k_proj", extent::key_value, extent::width, bias_of::attention},
    {"v", "self_attn.v_proj", extent::key_value, extent::width, bias_of::attention},
    {"o", "self_attn.o_proj", extent::width, extent::query},
    {"q_norm", "self_attn.q_layernorm.norms.#", extent::heads, extent::head, plain, false, whole, 0,
     only_in::head_norms, made::stacked},
    {"k_norm", "self_attn.k_layernorm.norms.#", extent::kv_heads, extent::head, plain, false, whole, 0,
     only_in::head_norms, made::stacked},
    {"gate", "mlp.gate_proj", extent::feed_forward, extent::width},
    {"up", "mlp.up_proj", extent::feed_forward, extent::width},
    {"down", "mlp.down_proj", extent::width, extent::feed_forward},
};
inline constexpr tensor_rule starcoder2_block[] = {
    {"attn_norm", "input_layernorm", extent::width, extent::one, bias_of::always},
    {"q", "self_attn.q_proj", extent::query, extent::width, bias_of::attention},
    {"k", "self_attn.k_proj", extent::key_value, extent::width, bias_of::attention},
    {"v", "self_attn.v_proj", extent::key_value, extent::width, bias_of::attention},
    {"o", "self_attn.o_proj", extent::width, extent::query, bias_of::attention},
    {"ffn_norm", "post_attention_layernorm", extent::width, extent::one, bias_of::always},
    {"up", "mlp.c_fc", extent::feed_forward, extent::width, bias_of::attention},
    {"down", "mlp.c_proj", extent::width, extent::feed_forward, bias_of::attention},
};
inline constexpr tensor_rule layer_final_norm = {"final_norm", "norm", extent::width, extent::one,
                                                 bias_of::always};

inline constexpr tensor_table stablelm_tensors = {model_prefix,     "layers.",  llama_outside, stablelm_block,
                                                  layer_final_norm, llama_head, rotary_tables};
inline constexpr tensor_table stablelm_parallel_tensors = {
    model_prefix,     "layers.",  llama_outside, stablelm_parallel_block,
    layer_final_norm, llama_head, rotary_tables};

inline void read_phi(const json_view& config, architecture& a) {
  a.head_norms = config_flag(config, "qk_layernorm", false);
}
inline void read_stablelm(const json_view& config, architecture& a) {
  a.head_norms = config_flag(config, "qk_layernorm", false);
  a.attention_bias = config_flag(config, "use_qkv_bias", false);
  if (config_flag(config, "use_parallel_residual", false))
    a.each_block([](block_part& b) { b.form = block_form::parallel; });
}
inline void read_starcoder2(const json_view& config, architecture& a) {
  a.attention_bias = config_flag(config, "use_bias", true);
}

inline constexpr model_family phi = {
    .name = "phi",
    .positions = {"max_position_embeddings", 2048},
    .eps_key = "layer_norm_eps",
    .eps = 1e-5,
    .activation = "gelu_new",
    .keys = "qk_layernorm",
    .norm = norm_kind::layer,
    .form = block_form::parallel,
    .rope = {.used = true, .part = 0.5, .part_varies = true},
    .more = read_phi,
    .tensors = {model_prefix,
                "layers.",
                llama_outside,
                phi_block,
                {"final_norm", "final_layernorm", extent::width, extent::one, bias_of::always},
                {"unembed", "lm_head", extent::vocabulary, extent::width, bias_of::always},
                rotary_tables},
};
inline constexpr model_family stablelm = {
    .name = "stablelm",
    .kv_heads = {"num_key_value_heads", 32},
    .positions = {"max_position_embeddings", 4096},
    .eps_key = "layer_norm_eps",
    .eps = 1e-5,
    .keys = "qk_layernorm use_parallel_residual use_qkv_bias",
    .norm = norm_kind::layer,
    .rope = {.used = true, .part = 0.25, .part_varies = true},
    .more = read_stablelm,
    .table =
        [](const architecture& a) {
          return a.blocks[0].form == block_form::parallel ? &stablelm_parallel_tensors : &stablelm_tensors;
        },
};
inline constexpr model_family starcoder2 = {
    .name = "starcoder2",
    .kv_heads = {"num_key_value_heads", 2},
    .positions = {"max_position_embeddings", 4096},
    .eps_key = "norm_epsilon",
    .eps = 1e-5,
    .activation = "gelu_pytorch_tanh",
    .keys = "use_bias",
    .harmless = "embedding_dropout residual_dropout",
    .norm = norm_kind::layer,
    .tied = true,
    .windows = windowed::all,
    .more = read_starcoder2,
    .tensors = {model_prefix, "layers.", llama_outside, starcoder2_block, layer_final_norm, llama_head,
                rotary_tables},
};

}  // namespace depthlens::families
