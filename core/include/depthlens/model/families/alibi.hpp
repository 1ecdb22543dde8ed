// SPDX-License-Identifier: Apache-2.0
// BLOOM (ALiBi, a norm of embeddings) and Falcon in its three forms: one norm before a parallel block (7B),
// two norms (40B, 180B), and blocks in sequence, with ALiBi (RW).
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "depthlens/base/error.hpp"
#include "depthlens/model/families/experts.hpp"
#include "depthlens/model/families/gpt2.hpp"
#include "depthlens/model/families/rules.hpp"

namespace depthlens::families {

// For n heads, as Press et al. 2022 (arXiv 2108.12409): a power of two has the geometric row from 2^(-8/n)
// on, others take every second one of the next power of two for what is missing.
inline std::vector<float> alibi_slopes(std::uint32_t n) {
  std::uint32_t power = 1;
  while (power * 2 <= n) power *= 2;
  std::vector<float> out;
  const auto add = [&](std::uint32_t heads, std::uint32_t exponent) {
    const auto base = static_cast<float>(std::pow(2.0, -8.0 / heads));
    out.push_back(static_cast<float>(std::pow(static_cast<double>(base), exponent)));
  };
  for (std::uint32_t i = 1; i <= power; ++i) add(power, i);
  for (std::uint32_t i = 1; out.size() < n; i += 2) add(2 * power, i);
  return out;
}

inline void set_alibi(architecture& a, alibi_kind kind) {
  const shared_numbers slopes(alibi_slopes(a.blocks[0].attention->n_heads));  // heads are as many in all
  a.each_block([&](block_part& b) {
    b.attention->alibi = kind;
    b.attention->alibi_slopes = slopes;
  });
}

inline void read_bloom(const json_view& config, architecture& a) {
  if (config_flag(config, "apply_residual_connection_post_layernorm", false))
    fail(status::data, config.place(),
         "apply_residual_connection_post_layernorm is true, but only false is supported");
  set_alibi(a, alibi_kind::exact);
}

// RW models turn to one key-value head by multi_query, the new architecture has num_kv_heads.
inline void read_falcon(const json_view& config, architecture& a) {
  const bool newer = config_flag(config, "new_decoder_architecture", false);
  const bool parallel = config_flag(config, "parallel_attn", true);
  const bool one = config_flag(config, "multi_query", true), alibi = config_flag(config, "alibi", false);
  a.attention_bias = config_flag(config, "bias", false);
  const std::uint64_t norms = config.find_u64("num_ln_in_parallel_attn").value_or(newer ? 2 : 1);
  if (norms != 1 && norms != 2)
    fail(status::data, config.place(), "num_ln_in_parallel_attn is ", norms, ", expected 1 or 2");
  if (newer && !parallel)
    fail(status::data, config.place(),
         "new_decoder_architecture is true and parallel_attn false, which is not supported");
  const std::uint32_t heads = a.blocks[0].attention->n_heads;
  const std::uint32_t kv = newer ? expert_width(config, "num_kv_heads", heads) : one ? 1 : heads;
  a.each_block([&](block_part& b) {
    b.form = newer || parallel ? block_form::parallel : block_form::sequential;
    b.attention->n_kv_heads = kv;
  });
  a.head_norms = newer && norms == 2;  // two norms before the block, not one
  if (alibi) set_alibi(a, alibi_kind::rounded);
}
inline void finish_falcon(const json_view&, architecture& a) {
  a.each_block([](block_part& b) {
    if (b.attention->alibi == alibi_kind::none) return;
    b.attention->rope_dims = 0;
    b.attention->rope_inv_freq = {};
  });
}

inline constexpr auto by_group = fused_in::qkv_by_group;
inline constexpr tensor_rule bloom_outside[] = {
    {"embed", "word_embeddings", extent::vocabulary, extent::width},
    {"embed_norm", "word_embeddings_layernorm", extent::width, extent::one, bias_of::always}};
inline constexpr tensor_rule bloom_block[] = {
    {"attn_norm", "input_layernorm", extent::width, extent::one, bias_of::always},
    {"q", "self_attention.query_key_value", extent::query, extent::width, bias_of::always, false, by_group,
     0},
    {"k", "self_attention.query_key_value", extent::key_value, extent::width, bias_of::always, false,
     by_group, 1},
    {"v", "self_attention.query_key_value", extent::key_value, extent::width, bias_of::always, false,
     by_group, 2},
    {"o", "self_attention.dense", extent::width, extent::query, bias_of::always},
    {"ffn_norm", "post_attention_layernorm", extent::width, extent::one, bias_of::always},
    {"up", "mlp.dense_h_to_4h", extent::feed_forward, extent::width, bias_of::always},
    {"down", "mlp.dense_4h_to_h", extent::width, extent::feed_forward, bias_of::always},
};

inline constexpr tensor_rule falcon_outside[] = {
    {"embed", "word_embeddings", extent::vocabulary, extent::width}};
inline constexpr tensor_rule falcon_parts[] = {
    {"q", "self_attention.query_key_value", extent::query, extent::width, bias_of::attention, false, by_group,
     0},
    {"k", "self_attention.query_key_value", extent::key_value, extent::width, bias_of::attention, false,
     by_group, 1},
    {"v", "self_attention.query_key_value", extent::key_value, extent::width, bias_of::attention, false,
     by_group, 2},
    {"o", "self_attention.dense", extent::width, extent::query, bias_of::attention},
    {"up", "mlp.dense_h_to_4h", extent::feed_forward, extent::width, bias_of::attention},
    {"down", "mlp.dense_4h_to_h", extent::width, extent::feed_forward, bias_of::attention}};
inline constexpr tensor_rule falcon_one_norm_rules[] = {
    {"attn_norm", "input_layernorm", extent::width, extent::one, bias_of::always}};
inline constexpr auto falcon_one_norm = joined(falcon_one_norm_rules, falcon_parts);
inline constexpr tensor_rule falcon_two_norms_rules[] = {
    {"attn_norm", "ln_attn", extent::width, extent::one, bias_of::always},
    {"ffn_norm", "ln_mlp", extent::width, extent::one, bias_of::always}};
inline constexpr auto falcon_two_norms = joined(falcon_two_norms_rules, falcon_parts);
inline constexpr tensor_rule falcon_sequential_rules[] = {
    {"attn_norm", "input_layernorm", extent::width, extent::one, bias_of::always},
    {"ffn_norm", "post_attention_layernorm", extent::width, extent::one, bias_of::always}};
inline constexpr auto falcon_sequential = joined(falcon_sequential_rules, falcon_parts);

inline constexpr tensor_rule gpt_final_norm = {"final_norm", "ln_f", extent::width, extent::one,
                                               bias_of::always};
inline constexpr tensor_rule gpt_head = {"unembed", "lm_head", extent::vocabulary, extent::width};
inline constexpr tensor_table falcon_tables[] = {
    {transformer_prefix, "h.", falcon_outside, falcon_one_norm, gpt_final_norm, gpt_head, ".inv_freq"},
    {transformer_prefix, "h.", falcon_outside, falcon_two_norms, gpt_final_norm, gpt_head, ".inv_freq"},
    {transformer_prefix, "h.", falcon_outside, falcon_sequential, gpt_final_norm, gpt_head, ".inv_freq"},
};

inline constexpr model_family bloom = {
    .name = "bloom",
    .layers = {"n_layer", size_key::required},
    .heads = {"n_head", size_key::required},
    .kv_heads = {},
    .head_dim = {},
    .feed_forward = {},
    .positions = {nullptr, 1u << 20},  // ALiBi sets no bound
    .eps_key = "layer_norm_epsilon",
    .eps = 1e-5,
    .activation_key = nullptr,
    .activation = "gelu_pytorch_tanh",
    .keys = "apply_residual_connection_post_layernorm",
    .harmless =
        "attention_softmax_in_fp32 bias_dropout_fusion masked_softmax_fusion n_inner "
        "offset_alibi seq_length skip_bias_add skip_bias_add_qkv slow_but_exact unk_token_id",
    .norm = norm_kind::layer,
    .tied = true,
    .rope = {},
    .more = read_bloom,
    .tensors = {transformer_prefix, "h.", bloom_outside, bloom_block, gpt_final_norm, gpt_head, ""},
};
inline constexpr model_family falcon = {
    .name = "falcon",
    .kv_heads = {},
    .head_dim = {},
    .feed_forward = {"ffn_hidden_size", size_key::derived},
    .positions = {"max_position_embeddings", 2048},
    .eps_key = "layer_norm_epsilon",
    .eps = 1e-5,
    .activation_key = "activation",
    .activation = "gelu",
    .keys =
        "alibi bias multi_query new_decoder_architecture num_kv_heads num_ln_in_parallel_attn parallel_attn",
    .harmless = "apply_residual_connection_post_layernorm auto_map",
    .norm = norm_kind::layer,
    .tied = true,
    .more = read_falcon,
    .finish = finish_falcon,
    .table =
        [](const architecture& a) {
          const bool parallel = a.blocks[0].form == block_form::parallel;
          return &falcon_tables[!parallel ? 2 : a.head_norms ? 1 : 0];
        },
};

}  // namespace depthlens::families
