// SPDX-License-Identifier: Apache-2.0
// Experts in GGUF: those of a layer are one tensor, in older files one each; their numbers stand under the
// same keys in every family. Whether weights are normalised no file of these families says.
#pragma once

#include <cstdint>
#include <string>

#include "depthlens/base/error.hpp"
#include "depthlens/model/families/gguf_family.hpp"
#include "depthlens/model/families/gguf_tensors.hpp"

namespace depthlens::families {

inline constexpr auto in_experts = only_in::experts;
inline constexpr auto expert_rows = extent::expert_feed_forward;

inline constexpr tensor_rule gguf_router[] = {
    in_blocks(in_experts, {"router", "ffn_gate_inp", extent::experts, extent::width, bias_of::present})};
inline constexpr tensor_rule gguf_expert_matrices[] = {
    without("ffn_gate_up_exps ffn_gate.0",
            in_blocks(in_experts, {"expert.#.gate", "ffn_gate_exps", expert_rows, extent::width})),
    without("ffn_gate_up_exps ffn_up.0",
            in_blocks(in_experts, {"expert.#.up", "ffn_up_exps", expert_rows, extent::width})),
    without("ffn_down.0",
            in_blocks(in_experts, {"expert.#.down", "ffn_down_exps", extent::width, expert_rows})),
    with("ffn_gate_up_exps",
         part_of(fused_in::gate_up, 0,
                 in_blocks(in_experts, {"expert.#.gate", "ffn_gate_up_exps", expert_rows, extent::width}))),
    with("ffn_gate_up_exps",
         part_of(fused_in::gate_up, 1,
                 in_blocks(in_experts, {"expert.#.up", "ffn_gate_up_exps", expert_rows, extent::width}))),
    with("ffn_gate.0", in_blocks(in_experts, {"expert.#.gate", "ffn_gate.#", expert_rows, extent::width})),
    with("ffn_up.0", in_blocks(in_experts, {"expert.#.up", "ffn_up.#", expert_rows, extent::width})),
    with("ffn_down.0", in_blocks(in_experts, {"expert.#.down", "ffn_down.#", extent::width, expert_rows})),
};
inline constexpr auto gguf_expert_rules = joined(gguf_router, gguf_expert_matrices);
inline constexpr tensor_rule gguf_expert_biases[] = {
    {"expert.#.gate.bias", "=ffn_gate_exps.bias", expert_rows, extent::one},
    {"expert.#.up.bias", "=ffn_up_exps.bias", expert_rows, extent::one},
    {"expert.#.down.bias", "=ffn_down_exps.bias", extent::width, extent::one}};
inline constexpr tensor_rule gguf_shared_expert[] = {
    in_blocks(only_in::shared_expert,
              {"shared_gate", "ffn_gate_shexp", extent::shared_feed_forward, extent::width}),
    in_blocks(only_in::shared_expert,
              {"shared_up", "ffn_up_shexp", extent::shared_feed_forward, extent::width}),
    in_blocks(only_in::shared_expert,
              {"shared_down", "ffn_down_shexp", extent::width, extent::shared_feed_forward}),
    in_blocks(only_in::shared_router, {"shared_router", "ffn_gate_inp_shexp", extent::one, extent::width})};

inline constexpr std::string_view gguf_expert_keys =
    "expert_count expert_used_count expert_feed_forward_length expert_shared_feed_forward_length";

// Their numbers. Without a width of their own it is that of the dense part, or of all experts of a token
// together (`divided`).
inline expert_part read_gguf_experts(const gguf_file& file, const architecture& a, bool divided = false) {
  const std::string prefix = a.family + ".";
  expert_part e{.n_experts = file.require_u32(prefix + "expert_count"),
                .n_used = file.require_u32(prefix + "expert_used_count")};
  e.d_ff = file.find_same_u32(prefix + "expert_feed_forward_length").value_or(0);
  if (e.d_ff != 0) return e;
  const std::uint32_t dense = a.blocks[0].d_ff;
  e.d_ff = divided && e.n_used > 0 ? dense / e.n_used : dense;
  return e;
}

// Every block's channel part is experts alone.
inline void set_experts(const expert_part& experts, architecture& a) {
  a.each_block([&](block_part& b) {
    b.experts = experts;
    b.d_ff = 0;
  });
}

inline void read_gguf_qwen2moe(const gguf_file& file, architecture& a) {
  expert_part e = read_gguf_experts(file, a, true);
  e.d_shared = file.find_u32("qwen2moe.expert_shared_feed_forward_length").value_or(0);
  if (e.d_shared == 0) e.d_shared = a.blocks[0].d_ff;
  e.shared_router = true;
  set_experts(e, a);
}
inline void read_gguf_qwen3moe(const gguf_file& file, architecture& a) {
  expert_part e = read_gguf_experts(file, a, true);
  e.normalised = true;
  set_experts(e, a);
}
inline void read_gguf_olmoe(const gguf_file& file, architecture& a) {
  set_experts(read_gguf_experts(file, a), a);
}
inline void read_gguf_gpt_oss(const gguf_file& file, architecture& a) {
  expert_part e = read_gguf_experts(file, a);
  e.router = router_kind::chosen_softmax;
  set_experts(e, a);
  a.each_block([](block_part& b) {
    b.activation = activation_kind::clamped;
    b.activation_alpha = 1.702;
    b.activation_limit = 7;
  });
}
inline std::uint32_t gguf_gpt_oss_window(const architecture&) { return 128; }

inline constexpr auto gguf_qwen2moe_block =
    joined(gguf_attn_norm, gguf_queries(bias_of::always), gguf_output(bias_of::nothing), gguf_ffn_norm,
           gguf_expert_rules, gguf_shared_expert);
inline constexpr auto gguf_qwen3moe_block =
    joined(gguf_attn_norm, gguf_llama_attention, gguf_head_norms, gguf_ffn_norm, gguf_expert_rules);
inline constexpr auto gguf_olmoe_block =
    joined(gguf_attn_norm, gguf_plain_attention, gguf_whole_norms, gguf_ffn_norm, gguf_expert_rules);
inline constexpr tensor_rule gguf_sinks[] = {{"sinks", "attn_sinks", extent::heads, extent::one}};
inline constexpr auto gguf_gpt_oss_block =
    joined(gguf_attn_norm, gguf_attention(bias_of::always), gguf_sinks,
           gguf_norm("ffn_norm", "post_attention_norm"), gguf_expert_rules, gguf_expert_biases);

inline constexpr gguf_family gguf_qwen2moe = {
    .name = "qwen2moe",
    .keys = gguf_expert_keys,
    .may_be_sparse = true,
    .more = read_gguf_qwen2moe,
    .tensors = gguf_table(gguf_qwen2moe_block),
};
inline constexpr gguf_family gguf_qwen3moe = {
    .name = "qwen3moe",
    .keys = gguf_expert_keys,
    .may_be_sparse = true,
    .more = read_gguf_qwen3moe,
    .tensors = gguf_table(gguf_qwen3moe_block),
};
inline constexpr gguf_family gguf_olmoe = {
    .name = "olmoe",
    .keys = gguf_expert_keys,
    .more = read_gguf_olmoe,
    .tensors = gguf_table(gguf_olmoe_block),
};
// YaRN's range ends between two frequencies here.
inline constexpr gguf_family gguf_gpt_oss = {
    .name = "gpt-oss",
    .keys = gguf_expert_keys,
    .yarn_truncates = false,
    .windows = windowed::patterned,
    .window = gguf_gpt_oss_window,
    .pattern = 2,
    .may_be_sparse = true,
    .more = read_gguf_gpt_oss,
    .tensors = gguf_table(gguf_gpt_oss_block),
};

}  // namespace depthlens::families
