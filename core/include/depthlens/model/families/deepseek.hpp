// SPDX-License-Identifier: Apache-2.0
// DeepSeek V2 and V3: attention of low rank, experts beside a shared one behind the first dense blocks.
#pragma once

#include <cmath>
#include <cstdint>

#include "depthlens/base/error.hpp"
#include "depthlens/model/families/experts.hpp"
#include "depthlens/model/hf_rope.hpp"

namespace depthlens::families {

inline constexpr tensor_rule deepseek_block[] = {
    {"attn_norm", "input_layernorm", extent::width, extent::one},
    {"q_down", "self_attn.q_a_proj", extent::q_rank, extent::width, bias_of::attention, false, whole, 0,
     only_in::low_rank_q},
    {"q_down_norm", "self_attn.q_a_layernorm", extent::q_rank, extent::one, plain, false, whole, 0,
     only_in::low_rank_q},
    {"q", "self_attn.q_b_proj", extent::query, extent::q_input, plain, false, whole, 0, only_in::low_rank_q},
    {"q", "self_attn.q_proj", extent::query, extent::q_input, plain, false, whole, 0, only_in::full_rank_q},
    {"kv_down", "self_attn.kv_a_proj_with_mqa", extent::kv_rank, extent::width, bias_of::attention, false,
     fused_in::kv_down_rope, 0},
    {"k_rope", "self_attn.kv_a_proj_with_mqa", extent::rotated, extent::width, bias_of::attention, false,
     fused_in::kv_down_rope, 1},
    {"kv_down_norm", "self_attn.kv_a_layernorm", extent::kv_rank, extent::one},
    {"k", "self_attn.kv_b_proj", extent::latent_keys, extent::kv_rank, plain, false, fused_in::latent_kv, 0},
    {"v", "self_attn.kv_b_proj", extent::mixed, extent::kv_rank, plain, false, fused_in::latent_kv, 1},
    {"o", "self_attn.o_proj", extent::width, extent::mixed, bias_of::attention},
    {"ffn_norm", "post_attention_layernorm", extent::width, extent::one},
    {"gate", "mlp.gate_proj", extent::feed_forward, extent::width, bias_of::mlp, false, whole, 0,
     only_in::dense},
    {"up", "mlp.up_proj", extent::feed_forward, extent::width, bias_of::mlp, false, whole, 0, only_in::dense},
    {"down", "mlp.down_proj", extent::width, extent::feed_forward, bias_of::mlp, false, whole, 0,
     only_in::dense},
    {"router", "mlp.gate", extent::experts, extent::width, plain, false, whole, 0, only_in::experts},
    {"router_correction", "=mlp.gate.e_score_correction_bias", extent::experts, extent::one, plain, false,
     whole, 0, only_in::corrected_router},
    {"expert.#.gate", "mlp.experts.#.gate_proj", extent::expert_feed_forward, extent::width, plain, false,
     whole, 0, only_in::experts},
    {"expert.#.up", "mlp.experts.#.up_proj", extent::expert_feed_forward, extent::width, plain, false, whole,
     0, only_in::experts},
    {"expert.#.down", "mlp.experts.#.down_proj", extent::width, extent::expert_feed_forward, plain, false,
     whole, 0, only_in::experts},
    {"shared_gate", "mlp.shared_experts.gate_proj", extent::shared_feed_forward, extent::width, plain, false,
     whole, 0, only_in::shared_expert},
    {"shared_up", "mlp.shared_experts.up_proj", extent::shared_feed_forward, extent::width, plain, false,
     whole, 0, only_in::shared_expert},
    {"shared_down", "mlp.shared_experts.down_proj", extent::width, extent::shared_feed_forward, plain, false,
     whole, 0, only_in::shared_expert},
};

inline void expect_text(const json_view& config, const char* key, std::string_view known) {
  const auto value = config.find(key);
  if (value && !detail::is_listed(known, value->as_string()))
    fail(status::data, value->place(), "is ", printable(value->as_string()), "; supported are ", known);
}

// V2 and its kin: softmax, groups by their best expert where asked. V3: sigmoids, a correction, groups by
// their best two.
inline expert_part deepseek_experts(const json_view& config, bool third) {
  expect_text(config, "scoring_func", third ? "sigmoid" : "softmax");
  expect_text(config, "topk_method", third ? "noaux_tc" : "greedy group_limited_greedy");
  expert_part e{.n_experts = expert_number(config, "n_routed_experts", "num_local_experts", third ? 256 : 64),
                .n_used = expert_width(config, "num_experts_per_tok", third ? 8 : 0),
                .d_ff = expert_width(config, "moe_intermediate_size", third ? 2048 : 1407),
                .scale = config.find_double("routed_scaling_factor").value_or(third ? 2.5 : 1.0)};
  e.d_shared = e.d_ff * expert_width(config, "n_shared_experts", third ? 1 : 2);
  // V2 does not normalise, whatever the key says.
  e.normalised = third && config_flag(config, "norm_topk_prob", true);
  e.corrected = third;
  if (third) e.router = router_kind::sigmoid;
  const bool grouped =
      third || config.find_string("topk_method").value_or("greedy") == "group_limited_greedy";
  if (!grouped) return e;
  e.groups = third ? group_kind::best_two : group_kind::best;
  e.n_groups = expert_width(config, "n_group", third ? 8 : 1);
  e.groups_used = expert_width(config, "topk_group", third ? 4 : 1);
  return e;
}

inline void read_deepseek(const json_view& config, architecture& a) {
  const bool third = a.family == "deepseek_v3";
  const bool full_q = !config.find("q_lora_rank") && config.as_object().contains("q_lora_rank");
  const std::uint32_t q_rank = full_q ? 0 : expert_width(config, "q_lora_rank", 1536);
  const std::uint32_t rope = expert_width(config, "qk_rope_head_dim", 64),
                      own = expert_width(config, "qk_nope_head_dim", 128);
  for (const std::uint32_t n : {rope, own})
    if (n < 1 || n > size_limits::head_dim / 2)
      fail(status::data, config.place(), "a part of the head size is ", n, ", expected 1 to ",
           size_limits::head_dim / 2);
  const std::uint64_t first = config.find_u64("first_k_dense_replace").value_or(third ? 3 : 0);
  if (config.find_u64("moe_layer_freq").value_or(1) != 1)
    fail(status::data, config.place(), "moe_layer_freq is not 1, which is not supported");
  const expert_part experts = deepseek_experts(config, third);
  for (std::uint32_t i = 0; i < a.n_layers; ++i) {
    block_part& b = a.blocks[i];
    attention_part& t = *b.attention;
    t.n_kv_heads = t.n_heads;
    t.head_dim = own + rope;
    t.rope_dims = rope;
    t.rope_begin = own;
    t.value_dim = expert_width(config, "v_head_dim", 128);
    t.q_rank = q_rank;
    t.kv_rank = expert_width(config, "kv_lora_rank", 512);
    t.scale = 1 / std::sqrt(static_cast<double>(t.head_dim));
    if (i < first) continue;
    b.experts = experts;
    b.d_ff = 0;
  }
}

// V3's rotated dimensions lie in halves where rope_interleave is false; null is false too.
inline bool turns_halves(const json_view& config, const architecture& a) {
  constexpr const char* key = "rope_interleave";
  const bool is_null = !config.find(key) && config.as_object().contains(key);
  return a.family == "deepseek_v3" && (is_null || !config_flag(config, key, true));
}

// Scores grow with YaRN's factor too, by the square of what mscale_all_dim makes of it.
inline void finish_deepseek(const json_view& config, architecture& a) {
  if (turns_halves(config, a)) a.each_attention([](attention_part& t) { t.rope = rope_kind::half; });
  const detail::layer_ropes ropes = detail::read_rope(config, {.used = true, .part_varies = true}, a);
  const rope_scaling& s = ropes.global.scaling;
  if (s.type == rope_scaling::kind::none || s.mscale_all_dim == 0) return;
  const double by = yarn_scale(s.factor, s.mscale_all_dim);
  a.each_block([&](block_part& b) { b.attention->scale *= by * by; });
}

inline constexpr std::string_view deepseek_keys =
    "attention_bias first_k_dense_replace kv_lora_rank moe_intermediate_size moe_layer_freq n_group "
    "n_routed_experts n_shared_experts norm_topk_prob num_experts_per_tok num_local_experts q_lora_rank "
    "qk_nope_head_dim qk_rope_head_dim rope_interleave routed_scaling_factor scoring_func topk_group "
    "topk_method v_head_dim mlp_bias";
inline constexpr std::string_view deepseek_harmless =
    "auto_map aux_loss_alpha ep_size head_dim num_mtp_layers num_nextn_predict_layers output_router_logits "
    "qk_head_dim seq_aux router_aux_loss_coef";
inline constexpr tensor_table deepseek_tensors = {
    model_prefix, "layers.", llama_outside, deepseek_block, llama_final_norm, llama_head, rotary_tables,
    "",           "@"};

inline constexpr model_family deepseek_v2 = {
    .name = "deepseek_v2",
    .head_dim = {nullptr, 1},  // read_deepseek sets it: D need not be a multiple of the heads
    .positions = {"max_position_embeddings", 2048},
    .keys = deepseek_keys,
    .harmless = deepseek_harmless,
    .rope = {.used = true, .kind = rope_kind::interleaved},
    .more = read_deepseek,
    .finish = finish_deepseek,
    .tensors = deepseek_tensors,
};
inline constexpr model_family deepseek_v3 = {
    .name = "deepseek_v3",
    .head_dim = {nullptr, 1},  // read_deepseek sets it: D need not be a multiple of the heads
    .positions = {"max_position_embeddings", 4096},
    .keys = deepseek_keys,
    .harmless = deepseek_harmless,
    .rope = {.used = true, .kind = rope_kind::interleaved},
    .more = read_deepseek,
    .finish = finish_deepseek,
    .tensors = deepseek_tensors,
};

}  // namespace depthlens::families
