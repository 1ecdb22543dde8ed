// SPDX-License-Identifier: Apache-2.0
// Qwen 3.5, 3.6 and 3-Next in GGUF: gated delta rules and, in every fourth layer, gated attention. Files of
// 3.5 have the value heads in another order than models, so that value head i goes with key head i % n: see
// delta_part::stored_key_heads. ssm_a holds -exp(A_log).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "depthlens/base/error.hpp"
#include "depthlens/model/families/gguf_experts.hpp"

namespace depthlens::families {

inline constexpr auto in_gated = only_in::attention;
inline constexpr auto in_rule = only_in::delta;
inline constexpr tensor_rule gguf_gated_attention[] = {
    in_blocks(in_gated, part_of(fused_in::query_gate, 0, {"q", "attn_q", extent::query, extent::width})),
    in_blocks(in_gated,
              part_of(fused_in::query_gate, 1, {"attn_gate", "attn_q", extent::query, extent::width})),
    in_blocks(in_gated, {"k", "attn_k", extent::key_value, extent::width}),
    in_blocks(in_gated, {"v", "attn_v", extent::key_value, extent::width}),
    in_blocks(in_gated, {"o", "attn_output", extent::width, extent::mixed}),
    in_blocks(in_gated, {"q_norm", "attn_q_norm", extent::head, extent::one}),
    in_blocks(in_gated, {"k_norm", "attn_k_norm", extent::head, extent::one}),
};
constexpr tensor_rule gguf_of_keys(std::uint32_t slot, tensor_rule rule) {
  return in_blocks(in_rule, made_as(made::repeated, part_of(fused_in::delta_qkv, slot, rule)));
}
inline constexpr tensor_rule gguf_delta_rule[] = {
    gguf_of_keys(0, {"delta_q", "attn_qkv", extent::delta_keys, extent::width}),
    gguf_of_keys(1, {"delta_k", "attn_qkv", extent::delta_keys, extent::width}),
    in_blocks(in_rule,
              part_of(fused_in::delta_qkv, 2, {"delta_v", "attn_qkv", extent::delta_values, extent::width})),
    in_blocks(in_rule, {"delta_gate", "attn_gate", extent::delta_values, extent::width}),
    gguf_of_keys(0, {"delta_conv", "ssm_conv1d", extent::delta_channels, extent::conv_width}),
    in_blocks(in_rule, {"decay", "=ssm_a", extent::delta_heads, extent::one}),
    in_blocks(in_rule, {"step_bias", "=ssm_dt.bias", extent::delta_heads, extent::one}),
    in_blocks(in_rule, {"delta_norm", "ssm_norm", extent::delta_value_head, extent::one}),
    in_blocks(in_rule, {"o", "ssm_out", extent::width, extent::mixed}),
};
inline constexpr tensor_rule gguf_delta_gates[] = {
    in_blocks(in_rule, {"delta_beta", "ssm_beta", extent::delta_heads, extent::width}),
    in_blocks(in_rule, {"delta_step", "ssm_alpha", extent::delta_heads, extent::width}),
};
inline constexpr tensor_rule gguf_delta_gates_in_one[] = {
    in_blocks(in_rule,
              part_of(fused_in::delta_ba, 0, {"delta_beta", "ssm_ba", extent::delta_heads, extent::width})),
    in_blocks(in_rule,
              part_of(fused_in::delta_ba, 1, {"delta_step", "ssm_ba", extent::delta_heads, extent::width})),
};
inline constexpr auto gguf_qwen35_mixers = joined(gguf_attn_norm, gguf_gated_attention, gguf_delta_rule,
                                                  gguf_norm("ffn_norm", "post_attention_norm"));
inline constexpr auto gguf_qwen35_block = joined(gguf_qwen35_mixers, gguf_delta_gates, gguf_gated_mlp);
inline constexpr auto gguf_qwen35moe_block =
    joined(gguf_qwen35_mixers, gguf_delta_gates, gguf_expert_rules, gguf_shared_expert);
inline constexpr auto gguf_qwen3next_block =
    joined(gguf_qwen35_mixers, gguf_delta_gates_in_one, gguf_expert_rules, gguf_shared_expert);

// Which blocks are delta rules: by a list, else all but every so manieth.
inline std::vector<bool> gguf_delta_layers(const gguf_file& file, const architecture& a) {
  const std::string prefix = a.family + ".";
  if (auto list = file.find(prefix + "attention.recurrent_layers") != nullptr
                      ? file.find_bools(prefix + "attention.recurrent_layers")
                      : std::nullopt) {
    if (list->size() < a.n_layers)
      fail(status::data, file.path(), ": ", prefix, "attention.recurrent_layers has ", list->size(),
           " layers, expected ", a.n_layers);
    return *list;
  }
  const std::uint32_t interval = file.find_u32(prefix + "full_attention_interval").value_or(4);
  if (interval == 0)
    fail(status::data, file.path(), ": ", prefix, "full_attention_interval is 0, expected at least 1");
  std::vector<bool> out(a.n_layers);
  for (std::uint32_t i = 0; i < a.n_layers; ++i) out[i] = (i + 1) % interval != 0;
  return out;
}

inline delta_part read_gguf_delta(const gguf_file& file, const architecture& a) {
  const std::string prefix = a.family + ".ssm.";
  delta_part d{.n_key_heads = file.require_u32(prefix + "group_count"),
               .n_value_heads = file.require_u32(prefix + "time_step_rank"),
               .key_dim = file.require_u32(prefix + "state_size"),
               .conv_width = file.require_u32(prefix + "conv_kernel")};
  const std::uint32_t inner = file.require_u32(prefix + "inner_size");
  if (d.n_key_heads == 0 || d.n_value_heads == 0 || d.n_value_heads % d.n_key_heads != 0 ||
      inner % d.n_value_heads != 0)
    fail(status::data, file.path(), ": ", prefix, "inner_size ", inner, ", time_step_rank ", d.n_value_heads,
         " and group_count ", d.n_key_heads, " do not divide each other");
  d.value_dim = inner / d.n_value_heads;
  // Keys are copied so many times.
  constexpr std::uint32_t most = 16;
  if (d.n_value_heads / d.n_key_heads > most)
    fail(status::data, file.path(), ": ", prefix, "time_step_rank is ", d.n_value_heads,
         ", expected at most ", most, " times group_count, ", d.n_key_heads);
  if (a.family == "qwen3next" || d.n_key_heads == d.n_value_heads) return d;
  d.stored_key_heads = d.n_key_heads;
  d.n_key_heads = d.n_value_heads;
  return d;
}

inline void read_gguf_qwen35(const gguf_file& file, architecture& a) {
  const delta_part delta = read_gguf_delta(file, a);
  const std::vector<bool> linear = gguf_delta_layers(file, a);
  for (std::uint32_t i = 0; i < a.n_layers; ++i) {
    if (!linear[i]) continue;
    a.blocks[i].attention.reset();
    a.blocks[i].delta = delta;
  }
}
inline void read_gguf_qwen35moe(const gguf_file& file, architecture& a) {
  read_gguf_qwen35(file, a);
  expert_part e = read_gguf_experts(file, a, true);
  e.normalised = true;
  e.shared_router = true;
  e.d_shared = file.find_u32(a.family + ".expert_shared_feed_forward_length").value_or(0);
  if (e.d_shared == 0) e.d_shared = a.blocks[0].d_ff;
  set_experts(e, a);
}

inline constexpr std::string_view gguf_qwen35_keys =
    "attention.recurrent_layers expert_count expert_feed_forward_length expert_shared_feed_forward_length "
    "expert_used_count full_attention_interval nextn_predict_layers rope.dimension_sections ssm.conv_kernel "
    "ssm.group_count ssm.inner_size ssm.state_size ssm.time_step_rank";

inline constexpr gguf_family gguf_qwen35 = {
    .name = "qwen35",
    .keys = gguf_qwen35_keys,
    .part_varies = true,
    .more = read_gguf_qwen35,
    .tensors = gguf_table(gguf_qwen35_block, "", "@"),
};
inline constexpr gguf_family gguf_qwen35moe = {
    .name = "qwen35moe",
    .keys = gguf_qwen35_keys,
    .part_varies = true,
    .may_be_sparse = true,
    .more = read_gguf_qwen35moe,
    .tensors = gguf_table(gguf_qwen35moe_block, "", "@"),
};
inline constexpr gguf_family gguf_qwen3next = {
    .name = "qwen3next",
    .keys = gguf_qwen35_keys,
    .part_varies = true,
    .may_be_sparse = true,
    .more = read_gguf_qwen35moe,
    .tensors = gguf_table(gguf_qwen3next_block, "", "@"),
};

}  // namespace depthlens::families
