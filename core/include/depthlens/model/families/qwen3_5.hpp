// SPDX-License-Identifier: Apache-2.0
// The text models of Qwen 3.5 and 3.6: gated delta rules, every fourth layer gated attention; dense, or with
// experts beside a shared one.
#pragma once

#include <cstdint>
#include <string_view>

#include "depthlens/base/error.hpp"
#include "depthlens/model/families/experts.hpp"
#include "depthlens/model/families/rules.hpp"
#include "depthlens/model/hf_rope.hpp"

namespace depthlens::families {

inline constexpr auto in_attention = only_in::attention;
inline constexpr auto in_delta = only_in::delta;
inline constexpr tensor_rule qwen3_5_mixers[] = {
    {"attn_norm", "input_layernorm", extent::width, extent::one},
    {"q", "self_attn.q_proj", extent::query, extent::width, bias_of::attention, false, fused_in::query_gate,
     0, in_attention},
    {"attn_gate", "self_attn.q_proj", extent::query, extent::width, bias_of::attention, false,
     fused_in::query_gate, 1, in_attention},
    {"k", "self_attn.k_proj", extent::key_value, extent::width, bias_of::attention, false, whole, 0,
     in_attention},
    {"v", "self_attn.v_proj", extent::key_value, extent::width, bias_of::attention, false, whole, 0,
     in_attention},
    {"o", "self_attn.o_proj", extent::width, extent::mixed, bias_of::attention, false, whole, 0,
     in_attention},
    {"q_norm", "self_attn.q_norm", extent::head, extent::one, plain, false, whole, 0, in_attention},
    {"k_norm", "self_attn.k_norm", extent::head, extent::one, plain, false, whole, 0, in_attention},
    {"delta_q", "linear_attn.in_proj_qkv", extent::delta_keys, extent::width, plain, false,
     fused_in::delta_qkv, 0, in_delta},
    {"delta_k", "linear_attn.in_proj_qkv", extent::delta_keys, extent::width, plain, false,
     fused_in::delta_qkv, 1, in_delta},
    {"delta_v", "linear_attn.in_proj_qkv", extent::delta_values, extent::width, plain, false,
     fused_in::delta_qkv, 2, in_delta},
    {"delta_gate", "linear_attn.in_proj_z", extent::delta_values, extent::width, plain, false, whole, 0,
     in_delta},
    {"delta_beta", "linear_attn.in_proj_b", extent::delta_heads, extent::width, plain, false, whole, 0,
     in_delta},
    {"delta_step", "linear_attn.in_proj_a", extent::delta_heads, extent::width, plain, false, whole, 0,
     in_delta},
    {"delta_conv", "linear_attn.conv1d", extent::delta_channels, extent::conv_width, plain, false, whole, 0,
     in_delta},
    {"decay", "=linear_attn.A_log", extent::delta_heads, extent::one, plain, false, whole, 0, in_delta,
     made::minus_exp},
    {"step_bias", "=linear_attn.dt_bias", extent::delta_heads, extent::one, plain, false, whole, 0, in_delta},
    {"delta_norm", "linear_attn.norm", extent::delta_value_head, extent::one, plain, false, whole, 0,
     in_delta},
    {"o", "linear_attn.out_proj", extent::width, extent::mixed, plain, false, whole, 0, in_delta},
    {"ffn_norm", "post_attention_layernorm", extent::width, extent::one}};

inline constexpr tensor_rule qwen3_5_dense[] = {
    {"gate", "mlp.gate_proj", extent::feed_forward, extent::width},
    {"up", "mlp.up_proj", extent::feed_forward, extent::width},
    {"down", "mlp.down_proj", extent::width, extent::feed_forward},
};
inline constexpr auto qwen3_5_block = joined(qwen3_5_mixers, qwen3_5_dense);
inline constexpr tensor_rule qwen3_5_experts[] = {
    {"router", "mlp.gate", extent::experts, extent::width},
    {"expert.#.gate", "=mlp.experts.gate_up_proj", extent::expert_feed_forward, extent::width, plain, false,
     fused_in::gate_up, 0},
    {"expert.#.up", "=mlp.experts.gate_up_proj", extent::expert_feed_forward, extent::width, plain, false,
     fused_in::gate_up, 1},
    {"expert.#.down", "=mlp.experts.down_proj", extent::width, extent::expert_feed_forward},
    {"shared_gate", "mlp.shared_expert.gate_proj", extent::shared_feed_forward, extent::width},
    {"shared_up", "mlp.shared_expert.up_proj", extent::shared_feed_forward, extent::width},
    {"shared_down", "mlp.shared_expert.down_proj", extent::width, extent::shared_feed_forward},
    {"shared_router", "mlp.shared_expert_gate", extent::one, extent::width},
};
inline constexpr auto qwen3_5_moe_block = joined(qwen3_5_mixers, qwen3_5_experts);
// The same with each expert's tensors by themselves, as some files are written.
inline constexpr tensor_rule qwen3_5_experts_apart[] = {
    {"router", "mlp.gate", extent::experts, extent::width},
    {"expert.#.gate", "mlp.experts.#.gate_proj", extent::expert_feed_forward, extent::width},
    {"expert.#.up", "mlp.experts.#.up_proj", extent::expert_feed_forward, extent::width},
    {"expert.#.down", "mlp.experts.#.down_proj", extent::width, extent::expert_feed_forward},
    {"shared_gate", "mlp.shared_expert.gate_proj", extent::shared_feed_forward, extent::width},
    {"shared_up", "mlp.shared_expert.up_proj", extent::shared_feed_forward, extent::width},
    {"shared_down", "mlp.shared_expert.down_proj", extent::width, extent::shared_feed_forward},
    {"shared_router", "mlp.shared_expert_gate", extent::one, extent::width},
};
inline constexpr auto qwen3_5_moe_apart_block = joined(qwen3_5_mixers, qwen3_5_experts_apart);

// By layer_types, else all but every full_attention_interval-th.
inline std::vector<bool> delta_layers(const json_view& config, std::uint32_t n) {
  std::vector<bool> out(n);
  const auto types = config.find("layer_types");
  const std::uint64_t interval = config.find_u64("full_attention_interval").value_or(4);
  if (interval == 0) fail(status::data, config.place(), "full_attention_interval is 0, expected at least 1");
  if (types && types->as_array().size() != n)
    fail(status::data, types->place(), "has ", types->as_array().size(), " layers, expected ", n);
  for (std::uint32_t i = 0; i < n; ++i)
    out[i] = types ? types->at(i).as_string() == "linear_attention" : (i + 1) % interval != 0;
  return out;
}

inline void read_qwen3_5(const json_view& config, architecture& a) {
  // It is the convolutions' too, which have no other here.
  if (a.blocks[0].activation != activation_kind::silu)
    fail(status::data, config.place(), "hidden_act is not silu, which is not supported in this family");
  const delta_part delta{.n_key_heads = expert_width(config, "linear_num_key_heads", 16),
                         .n_value_heads = expert_width(config, "linear_num_value_heads", 32),
                         .key_dim = expert_width(config, "linear_key_head_dim", 128),
                         .value_dim = expert_width(config, "linear_value_head_dim", 128),
                         .conv_width = expert_width(config, "linear_conv_kernel_dim", 4)};
  const std::vector<bool> linear = delta_layers(config, a.n_layers);
  for (std::uint32_t i = 0; i < a.n_layers; ++i) {
    if (!linear[i]) continue;
    a.blocks[i].attention.reset();
    a.blocks[i].delta = delta;
  }
}

inline void read_qwen3_5_moe(const json_view& config, architecture& a) {
  read_qwen3_5(config, a);
  const expert_part experts{.n_experts = expert_number(config, "num_experts", "num_local_experts", 256),
                            .n_used = expert_width(config, "num_experts_per_tok", 8),
                            .d_ff = expert_width(config, "moe_intermediate_size", 512),
                            .d_shared = expert_width(config, "shared_expert_intermediate_size", 512),
                            .shared_router = true,
                            .normalised = true};
  a.each_block([&](block_part& b) {
    b.experts = experts;
    b.d_ff = 0;
  });
}

inline constexpr std::string_view qwen3_5_prefix[] = {"model.language_model.", "language_model.model.",
                                                      "model.", ""};
inline constexpr std::string_view qwen3_5_keys =
    "attention_bias full_attention_interval linear_conv_kernel_dim linear_key_head_dim linear_num_key_heads "
    "linear_num_value_heads linear_value_head_dim";
inline constexpr std::string_view qwen3_5_harmless =
    "attn_output_gate mamba_ssm_dtype mlp_only_layers mtp_num_hidden_layers mtp_use_dedicated_embeddings "
    "output_router_logits router_aux_loss_coef";
inline constexpr std::string_view qwen3_5_left_out = "mtp. model.mtp. visual. model.visual.";
// Positions of texts are the same in all sections of multimodal rotary positions.
inline constexpr rope_rule qwen3_5_rope = {
    .used = true, .part = 0.25, .part_varies = true, .keys = "mrope_section mrope_interleaved"};

inline constexpr model_family qwen3_5_text = {
    .name = "qwen3_5_text",
    .kv_heads = {"num_key_value_heads", 4},
    .head_dim = {"head_dim", 256},
    .positions = {"max_position_embeddings", 32768},
    .keys = qwen3_5_keys,
    .harmless = qwen3_5_harmless,
    .norm_offset = 1,
    .rope = qwen3_5_rope,
    .linear_layers = true,
    .more = read_qwen3_5,
    .tensors = {qwen3_5_prefix, "layers.", llama_outside, qwen3_5_block, llama_final_norm, llama_head,
                rotary_tables, "", qwen3_5_left_out},
};
inline constexpr tensor_table qwen3_5_moe_tables[] = {
    {qwen3_5_prefix, "layers.", llama_outside, qwen3_5_moe_block, llama_final_norm, llama_head, rotary_tables,
     "", qwen3_5_left_out},
    {qwen3_5_prefix, "layers.", llama_outside, qwen3_5_moe_apart_block, llama_final_norm, llama_head,
     rotary_tables, "", qwen3_5_left_out}};
inline constexpr model_family qwen3_5_moe_text = {
    .name = "qwen3_5_moe_text",
    .kv_heads = {"num_key_value_heads", 2},
    .head_dim = {"head_dim", 256},
    .feed_forward = {"intermediate_size", size_key::derived},
    .positions = {"max_position_embeddings", 32768},
    .keys = qwen3_5_keys,
    .harmless = qwen3_5_harmless,
    .more_keys =
        "moe_intermediate_size num_experts num_experts_per_tok num_local_experts "
        "shared_expert_intermediate_size",
    .norm_offset = 1,
    .rope = qwen3_5_rope,
    .linear_layers = true,
    .more = read_qwen3_5_moe,
    .tensors = qwen3_5_moe_tables[0],
    .apart = &qwen3_5_moe_tables[1],
};

}  // namespace depthlens::families
