// SPDX-License-Identifier: Apache-2.0
// Llama and Qwen with experts instead of a dense part: Mixtral, Qwen 2 and 3 MoE, OLMoE.
#pragma once

#include <algorithm>
#include <cstdint>

#include "depthlens/base/checked.hpp"
#include "depthlens/base/error.hpp"
#include "depthlens/model/families/llama.hpp"

namespace depthlens::families {

// A number under one of two keys; both must agree where both are there.
inline std::uint32_t expert_number(const json_view& config, const char* key, const char* other,
                                   std::uint32_t otherwise) {
  const auto one = config.find_u64(key), two = config.find_u64(other);
  if (one && two && *one != *two)
    fail(status::data, config.place(), key, " is ", *one, " and ", other, " ", *two);
  const std::uint64_t value = one ? *one : two ? *two : otherwise;
  return checked_narrow<std::uint32_t>(value, [&] { return config.place() + key; });
}

inline std::uint32_t expert_width(const json_view& config, const char* key, std::uint32_t otherwise) {
  return expert_number(config, key, key, otherwise);
}

// The layers that have experts: every decoder_sparse_step-th but those of mlp_only_layers. They lose their
// dense part.
inline void place_experts(const json_view& config, const expert_part& experts, architecture& a) {
  const std::uint64_t step = config.find_u64("decoder_sparse_step").value_or(1);
  if (step == 0) fail(status::data, config.place(), "decoder_sparse_step is 0, expected at least 1");
  std::vector<bool> dense(a.n_layers);
  if (const auto only = config.find("mlp_only_layers")) {
    for (std::size_t i = 0; i < only->as_array().size(); ++i) {
      const std::uint64_t layer = only->at(i).as_u64();
      if (layer >= a.n_layers)
        fail(status::data, only->at(i).place(), "is ", layer, ", expected a layer below ", a.n_layers);
      dense[layer] = true;
    }
  }
  for (std::size_t i = 0; i < a.n_layers; ++i) {
    if (dense[i] || (i + 1) % step != 0) continue;
    a.blocks[i].experts = experts;
    a.blocks[i].d_ff = 0;
  }
}

inline void read_mixtral(const json_view& config, architecture& a) {
  const expert_part experts{.n_experts = expert_number(config, "num_local_experts", "num_experts", 8),
                            .n_used = expert_width(config, "num_experts_per_tok", 2),
                            .d_ff = a.blocks[0].d_ff,
                            .normalised = true};
  place_experts(config, experts, a);
}

inline void read_qwen_moe(const json_view& config, architecture& a) {
  const bool second = a.family == "qwen2_moe";
  expert_part experts{
      .n_experts = expert_number(config, "num_experts", "num_local_experts", second ? 60 : 128),
      .n_used = expert_width(config, "num_experts_per_tok", second ? 4 : 8),
      .d_ff = expert_width(config, "moe_intermediate_size", second ? 1408 : 768),
      .normalised = config_flag(config, "norm_topk_prob", false)};
  if (second) {
    experts.d_shared = expert_width(config, "shared_expert_intermediate_size", 5632);
    experts.shared_router = true;
    a.attention_bias = config_flag(config, "qkv_bias", true);
  }
  place_experts(config, experts, a);
}

inline void read_olmoe(const json_view& config, architecture& a) {
  if (const auto clip = config.find("clip_qkv"))
    fail(status::data, clip->place(), "only null is supported: OLMoE would cut normed queries and keys");
  const expert_part experts{.n_experts = expert_number(config, "num_experts", "num_local_experts", 64),
                            .n_used = expert_width(config, "num_experts_per_tok", 8),
                            .d_ff = a.blocks[0].d_ff,
                            .normalised = config_flag(config, "norm_topk_prob", false)};
  place_experts(config, experts, a);
}

inline constexpr auto plain = bias_of::nothing;
inline constexpr auto whole = fused_in::nothing;

inline constexpr tensor_rule mixtral_block[] = {
    {"attn_norm", "input_layernorm", extent::width, extent::one},
    {"q", "self_attn.q_proj", extent::query, extent::width},
    {"k", "self_attn.k_proj", extent::key_value, extent::width},
    {"v", "self_attn.v_proj", extent::key_value, extent::width},
    {"o", "self_attn.o_proj", extent::width, extent::query},
    {"ffn_norm", "post_attention_layernorm", extent::width, extent::one},
    {"router", "block_sparse_moe.gate", extent::experts, extent::width},
    {"expert.#.gate", "block_sparse_moe.experts.#.w1", extent::expert_feed_forward, extent::width},
    {"expert.#.up", "block_sparse_moe.experts.#.w3", extent::expert_feed_forward, extent::width},
    {"expert.#.down", "block_sparse_moe.experts.#.w2", extent::width, extent::expert_feed_forward},
};
inline constexpr tensor_rule qwen2_moe_block[] = {
    {"attn_norm", "input_layernorm", extent::width, extent::one},
    {"q", "self_attn.q_proj", extent::query, extent::width, bias_of::attention},
    {"k", "self_attn.k_proj", extent::key_value, extent::width, bias_of::attention},
    {"v", "self_attn.v_proj", extent::key_value, extent::width, bias_of::attention},
    {"o", "self_attn.o_proj", extent::width, extent::query},
    {"ffn_norm", "post_attention_layernorm", extent::width, extent::one},
    {"gate", "mlp.gate_proj", extent::feed_forward, extent::width, plain, false, whole, 0, only_in::dense},
    {"up", "mlp.up_proj", extent::feed_forward, extent::width, plain, false, whole, 0, only_in::dense},
    {"down", "mlp.down_proj", extent::width, extent::feed_forward, plain, false, whole, 0, only_in::dense},
    {"router", "mlp.gate", extent::experts, extent::width, plain, false, whole, 0, only_in::experts},
    {"expert.#.gate", "mlp.experts.#.gate_proj", extent::expert_feed_forward, extent::width, plain, false,
     whole, 0, only_in::experts},
    {"expert.#.up", "mlp.experts.#.up_proj", extent::expert_feed_forward, extent::width, plain, false, whole,
     0, only_in::experts},
    {"expert.#.down", "mlp.experts.#.down_proj", extent::width, extent::expert_feed_forward, plain, false,
     whole, 0, only_in::experts},
    {"shared_gate", "mlp.shared_expert.gate_proj", extent::shared_feed_forward, extent::width, plain, false,
     whole, 0, only_in::shared_expert},
    {"shared_up", "mlp.shared_expert.up_proj", extent::shared_feed_forward, extent::width, plain, false,
     whole, 0, only_in::shared_expert},
    {"shared_down", "mlp.shared_expert.down_proj", extent::width, extent::shared_feed_forward, plain, false,
     whole, 0, only_in::shared_expert},
    {"shared_router", "mlp.shared_expert_gate", extent::one, extent::width, plain, false, whole, 0,
     only_in::shared_router},
};
inline constexpr tensor_rule qwen3_moe_block[] = {
    {"attn_norm", "input_layernorm", extent::width, extent::one},
    {"q", "self_attn.q_proj", extent::query, extent::width, bias_of::attention},
    {"k", "self_attn.k_proj", extent::key_value, extent::width, bias_of::attention},
    {"v", "self_attn.v_proj", extent::key_value, extent::width, bias_of::attention},
    {"o", "self_attn.o_proj", extent::width, extent::query, bias_of::attention},
    {"q_norm", "self_attn.q_norm", extent::head, extent::one},
    {"k_norm", "self_attn.k_norm", extent::head, extent::one},
    {"ffn_norm", "post_attention_layernorm", extent::width, extent::one},
    {"gate", "mlp.gate_proj", extent::feed_forward, extent::width, plain, false, whole, 0, only_in::dense},
    {"up", "mlp.up_proj", extent::feed_forward, extent::width, plain, false, whole, 0, only_in::dense},
    {"down", "mlp.down_proj", extent::width, extent::feed_forward, plain, false, whole, 0, only_in::dense},
    {"router", "mlp.gate", extent::experts, extent::width, plain, false, whole, 0, only_in::experts},
    {"expert.#.gate", "mlp.experts.#.gate_proj", extent::expert_feed_forward, extent::width, plain, false,
     whole, 0, only_in::experts},
    {"expert.#.up", "mlp.experts.#.up_proj", extent::expert_feed_forward, extent::width, plain, false, whole,
     0, only_in::experts},
    {"expert.#.down", "mlp.experts.#.down_proj", extent::width, extent::expert_feed_forward, plain, false,
     whole, 0, only_in::experts},
};
inline constexpr tensor_rule olmoe_block[] = {
    {"attn_norm", "input_layernorm", extent::width, extent::one},
    {"q", "self_attn.q_proj", extent::query, extent::width, bias_of::attention},
    {"k", "self_attn.k_proj", extent::key_value, extent::width, bias_of::attention},
    {"v", "self_attn.v_proj", extent::key_value, extent::width, bias_of::attention},
    {"o", "self_attn.o_proj", extent::width, extent::query, bias_of::attention},
    {"q_norm", "self_attn.q_norm", extent::query, extent::one},
    {"k_norm", "self_attn.k_norm", extent::key_value, extent::one},
    {"ffn_norm", "post_attention_layernorm", extent::width, extent::one},
    {"router", "mlp.gate", extent::experts, extent::width},
    {"expert.#.gate", "mlp.experts.#.gate_proj", extent::expert_feed_forward, extent::width},
    {"expert.#.up", "mlp.experts.#.up_proj", extent::expert_feed_forward, extent::width},
    {"expert.#.down", "mlp.experts.#.down_proj", extent::width, extent::expert_feed_forward},
};

inline constexpr std::string_view expert_training =
    "output_router_logits router_aux_loss_coef router_jitter_noise";

inline constexpr model_family mixtral = {
    .name = "mixtral",
    .kv_heads = {"num_key_value_heads", 8},
    .positions = {"max_position_embeddings", 131072},
    .eps = 1e-5,
    .keys = "num_local_experts num_experts num_experts_per_tok",
    .harmless = expert_training,
    .rope = {.used = true, .theta = 1000000},
    .windows = windowed::all,
    .more = read_mixtral,
    .tensors = {model_prefix, "layers.", llama_outside, mixtral_block, llama_final_norm, llama_head,
                rotary_tables},
};
inline constexpr model_family qwen2_moe = {
    .name = "qwen2_moe",
    .kv_heads = {"num_key_value_heads", 16},
    .positions = {"max_position_embeddings", 32768},
    .keys =
        "decoder_sparse_step mlp_only_layers moe_intermediate_size norm_topk_prob num_experts "
        "num_experts_per_tok num_local_experts qkv_bias shared_expert_intermediate_size",
    .harmless = expert_training,
    .windows = windowed::lower_even,
    .window = 4096,
    .more = read_qwen_moe,
    .tensors = {model_prefix, "layers.", llama_outside, qwen2_moe_block, llama_final_norm, llama_head,
                rotary_tables},
};
inline constexpr model_family qwen3_moe = {
    .name = "qwen3_moe",
    .kv_heads = {"num_key_value_heads", 4},
    .positions = {"max_position_embeddings", 32768},
    .keys =
        "attention_bias decoder_sparse_step mlp_only_layers moe_intermediate_size norm_topk_prob "
        "num_experts num_experts_per_tok num_local_experts",
    .harmless = "max_window_layers output_router_logits router_aux_loss_coef router_jitter_noise",
    .windows = windowed::switched,
    .window = 4096,
    .more = read_qwen_moe,
    .tensors = {model_prefix, "layers.", llama_outside, qwen3_moe_block, llama_final_norm, llama_head,
                rotary_tables},
};
inline constexpr model_family olmoe = {
    .name = "olmoe",
    .positions = {"max_position_embeddings", 4096},
    .eps = 1e-5,
    .keys = "attention_bias clip_qkv norm_topk_prob num_experts num_experts_per_tok num_local_experts",
    .harmless = expert_training,
    .more = read_olmoe,
    .tensors = {model_prefix, "layers.", llama_outside, olmoe_block, llama_final_norm, llama_head,
                rotary_tables},
};

}  // namespace depthlens::families
