// SPDX-License-Identifier: Apache-2.0
// DeepSeek V2 and V3 in GGUF. In files of today attn_k_b and attn_v_b are by head, the first one turned, and
// attention.key_length is that of the latent row; older ones have both in attn_kv_b and sizes of whole heads.
#pragma once

#include <cmath>
#include <cstdint>
#include <string>

#include "depthlens/base/error.hpp"
#include "depthlens/model/families/gguf_experts.hpp"
#include "depthlens/model/rope_scaling.hpp"

namespace depthlens::families {

inline constexpr tensor_rule gguf_deepseek_mixer[] = {
    in_blocks(only_in::low_rank_q, {"q_down", "attn_q_a", extent::q_rank, extent::width}),
    in_blocks(only_in::low_rank_q, {"q_down_norm", "attn_q_a_norm", extent::q_rank, extent::one}),
    in_blocks(only_in::low_rank_q, {"q", "attn_q_b", extent::query, extent::q_input}),
    in_blocks(only_in::full_rank_q, {"q", "attn_q", extent::query, extent::q_input}),
    part_of(fused_in::kv_down_rope, 0, {"kv_down", "attn_kv_a_mqa", extent::kv_rank, extent::width}),
    part_of(fused_in::kv_down_rope, 1, {"k_rope", "attn_kv_a_mqa", extent::rotated, extent::width}),
    {"kv_down_norm", "attn_kv_a_norm", extent::kv_rank, extent::one},
    without("attn_kv_b",
            part_of(fused_in::by_head_turned, 0, {"k", "attn_k_b", extent::latent_keys, extent::kv_rank})),
    without("attn_kv_b", part_of(fused_in::by_head, 0, {"v", "attn_v_b", extent::mixed, extent::kv_rank})),
    with("attn_kv_b",
         part_of(fused_in::latent_kv, 0, {"k", "attn_kv_b", extent::latent_keys, extent::kv_rank})),
    with("attn_kv_b", part_of(fused_in::latent_kv, 1, {"v", "attn_kv_b", extent::mixed, extent::kv_rank})),
    {"o", "attn_output", extent::width, extent::mixed},
};
inline constexpr tensor_rule gguf_deepseek_correction[] = {in_blocks(
    only_in::corrected_router, {"router_correction", "=exp_probs_b.bias", extent::experts, extent::one})};
inline constexpr auto gguf_deepseek_block =
    joined(gguf_attn_norm, gguf_deepseek_mixer, gguf_ffn_norm, gguf_gated_mlp, gguf_expert_rules,
           gguf_deepseek_correction, gguf_shared_expert);

inline void read_gguf_latent(const gguf_file& file, attention_part& t) {
  const std::string prefix = "deepseek2.attention.";
  const auto size = [&](const std::string& key, const char* older) {
    const auto given = file.find_u32(prefix + key);
    const std::uint32_t n = given ? *given : file.require_u32(prefix + older);
    if (n < 1 || n > size_limits::head_dim)
      fail(status::data, file.path(), ": ", prefix, given ? key : older, " is ", n, ", expected 1 to ",
           size_limits::head_dim);
    return n;
  };
  t.n_kv_heads = t.n_heads;
  t.head_dim = size("key_length_mla", "key_length");
  t.value_dim = size("value_length_mla", "value_length");
  t.kv_rank = size("kv_lora_rank", "kv_lora_rank");
  t.q_rank = file.find_u32(prefix + "q_lora_rank").value_or(0);
  t.rope_dims = file.require_u32("deepseek2.rope.dimension_count");
  if (t.rope_dims < 2 || t.rope_dims % 2 != 0 || t.rope_dims >= t.head_dim)
    fail(status::data, file.path(), ": deepseek2.rope.dimension_count is ", t.rope_dims,
         ", expected an even number below the head size ", t.head_dim);
  t.rope_begin = t.head_dim - t.rope_dims;
  t.scale = 1 / std::sqrt(static_cast<double>(t.head_dim));
}

// V3's routers have a correction; early files of V2 do not name their function.
inline expert_part read_gguf_deepseek_experts(const gguf_file& file, architecture& a, bool corrected) {
  expert_part e = read_gguf_experts(file, a);
  const std::uint32_t function = file.find_u32("deepseek2.expert_gating_func").value_or(corrected ? 2 : 1);
  if (function != 1 && function != 2)
    fail(status::data, file.path(), ": deepseek2.expert_gating_func is ", function,
         ", supported are 1 (softmax) and 2 (sigmoid)");
  const bool sigmoid = function == 2;
  e.router = sigmoid ? router_kind::sigmoid : router_kind::softmax;
  e.corrected = corrected;
  e.normalised = file.find_bool("deepseek2.expert_weights_norm").value_or(false);
  e.scale = file.find_float("deepseek2.expert_weights_scale").value_or(1.0);
  e.d_shared = e.d_ff * file.find_u32("deepseek2.expert_shared_count").value_or(0);
  e.n_groups = file.find_u32("deepseek2.expert_group_count").value_or(0);
  e.groups_used = file.find_u32("deepseek2.expert_group_used_count").value_or(0);
  if (e.n_groups > 1) e.groups = sigmoid ? group_kind::best_two : group_kind::best;
  if (e.n_groups == 0 && sigmoid)
    a.notes.push_back(
        cat(file.path(), ": deepseek2.expert_group_count is missing: experts are chosen among all"));
  return e;
}

inline void read_gguf_deepseek(const gguf_file& file, architecture& a) {
  attention_part t = *a.blocks[0].attention;
  read_gguf_latent(file, t);
  const std::uint32_t dense = file.find_u32("deepseek2.leading_dense_block_count").value_or(0);
  const bool corrected =
      dense < a.n_layers && file.find_tensor(cat("blk.", dense, ".exp_probs_b.bias")) != nullptr;
  std::optional<expert_part> experts;
  if (dense < a.n_layers) experts = read_gguf_deepseek_experts(file, a, corrected);
  for (std::uint32_t i = 0; i < a.n_layers; ++i) {
    block_part& b = a.blocks[i];
    t.kv_layer = i;
    b.attention = t;
    if (i < dense) continue;
    b.experts = experts;
    b.d_ff = 0;
  }
}

// Scores grow with YaRN's factor too, by the square of what the multiplier makes of it.
inline void finish_gguf_deepseek(const gguf_file& file, architecture& a) {
  const double log_scale = file.find_float("deepseek2.rope.scaling.yarn_log_multiplier").value_or(0.0);
  if (log_scale == 0 || file.find_string("deepseek2.rope.scaling.type").value_or("") != "yarn") return;
  const double by = yarn_scale(file.require_float("deepseek2.rope.scaling.factor"), 10 * log_scale);
  a.each_block([&](block_part& b) { b.attention->scale *= by * by; });
}

inline constexpr gguf_family gguf_deepseek2 = {
    .name = "deepseek2",
    .keys =
        "attention.key_length_mla attention.kv_lora_rank attention.q_lora_rank attention.value_length_mla "
        "expert_count expert_feed_forward_length expert_gating_func expert_group_count "
        "expert_group_used_count expert_shared_count expert_used_count expert_weights_norm "
        "expert_weights_scale leading_dense_block_count nextn_predict_layers "
        "rope.scaling.yarn_log_multiplier",
    .rope = rope_kind::interleaved,
    .latent = true,
    .may_be_sparse = true,
    .more = read_gguf_deepseek,
    .finish = finish_gguf_deepseek,
    .tensors = gguf_table(gguf_deepseek_block, "", "@"),
};

}  // namespace depthlens::families
