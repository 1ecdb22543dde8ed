// SPDX-License-Identifier: Apache-2.0
// Llama in GGUF, with experts or without, and what is built like it: Qwen 2 and 3, Granite, SmolLM 3, OLMo,
// Command R.
#pragma once

#include <cstdint>
#include <string>

#include "depthlens/base/error.hpp"
#include "depthlens/model/families/gguf_experts.hpp"

namespace depthlens::families {

// Mixtral.
inline void read_gguf_llama(const gguf_file& file, architecture& a) {
  if (file.find_u32("llama.expert_count").value_or(0) == 0) return;
  expert_part e = read_gguf_experts(file, a);
  e.normalised = true;
  set_experts(e, a);
}

inline double gguf_scale(const gguf_file& file, const std::string& key, double otherwise) {
  const double scale = file.find_float(key).value_or(otherwise);
  if (!(scale > 0)) fail(status::data, file.path(), ": ", key, " is ", scale, ", expected more than 0");
  return scale;
}

inline void read_gguf_granite(const gguf_file& file, architecture& a) {
  const std::string prefix = a.family + ".";
  if (!file.find_bool(prefix + "rope.scaling.finetuned").value_or(true))
    fail(status::data, file.path(), ": ", prefix,
         "rope.scaling.finetuned is false, which means no rotary positions in Granite and is not supported");
  a.embed_scale = gguf_scale(file, prefix + "embedding_scale", 1);
  a.logit_scale = 1 / gguf_scale(file, prefix + "logit_scale", 1);
  const double residual = gguf_scale(file, prefix + "residual_scale", 1);
  const double attention = gguf_scale(file, prefix + "attention.scale", a.blocks[0].attention->scale);
  a.each_block([&](block_part& b) {
    b.residual_scale = residual;
    b.attention->scale = attention;
  });
  if (file.find_u32(prefix + "expert_count").value_or(0) == 0) return;
  expert_part e = read_gguf_experts(file, a);
  e.normalised = true;
  e.d_shared = file.find_u32(prefix + "expert_shared_feed_forward_length").value_or(0);
  set_experts(e, a);
}

// Every fourth layer has no rotary positions.
inline void finish_gguf_smollm3(const gguf_file&, architecture& a) {
  for (std::uint32_t i = 3; i < a.n_layers; i += 4) {
    a.blocks[i].attention->rope_dims = 0;
    a.blocks[i].attention->rope_inv_freq = {};
  }
}

inline void read_gguf_olmo(const gguf_file& file, architecture& a) {
  const double clip = file.find_float("olmo.attention.clamp_kqv").value_or(0.0);
  a.each_block([&](block_part& b) { b.attention->clip = clip; });
}

inline void read_gguf_command(const gguf_file& file, architecture& a) {
  a.logit_scale = gguf_scale(file, a.family + ".logit_scale", 1);
}
inline std::uint32_t gguf_cohere2_window(const architecture&) { return 4096; }
// Layers that see all have no rotary positions.
inline void finish_gguf_cohere2(const gguf_file&, architecture& a) {
  a.each_block([](block_part& b) {
    if (b.attention->window != 0) return;
    b.attention->rope_dims = 0;
    b.attention->rope_inv_freq = {};
  });
}

inline constexpr auto gguf_llama_block =
    joined(gguf_attn_norm, gguf_llama_attention, gguf_ffn_norm, gguf_llama_mlp, gguf_expert_rules);
inline constexpr auto gguf_qwen2_block = joined(gguf_attn_norm, gguf_queries(bias_of::always),
                                                gguf_output(bias_of::nothing), gguf_ffn_norm, gguf_gated_mlp);
inline constexpr auto gguf_qwen3_block =
    joined(gguf_attn_norm, gguf_llama_attention, gguf_head_norms, gguf_ffn_norm, gguf_gated_mlp);
inline constexpr auto gguf_granite_block = joined(gguf_llama_block, gguf_shared_expert);
inline constexpr tensor_rule gguf_olmo_norms[] = {ones("attn_norm", extent::width),
                                                  ones("ffn_norm", extent::width)};
inline constexpr auto gguf_olmo_block = joined(gguf_olmo_norms, gguf_plain_attention, gguf_gated_mlp);
inline constexpr auto gguf_olmo2_block =
    joined(gguf_plain_attention, gguf_whole_norms, gguf_post_norms, gguf_gated_mlp);
inline constexpr auto gguf_command_block =
    joined(gguf_attn_norm, gguf_llama_attention, gguf_own_norms, gguf_gated_mlp);

inline constexpr std::string_view gguf_granite_keys =
    "attention.scale embedding_scale residual_scale logit_scale expert_count expert_used_count "
    "expert_feed_forward_length expert_shared_feed_forward_length";

// Llama, Mistral, SmolLM and others.
inline constexpr gguf_family gguf_llama = {
    .name = "llama",
    .keys = gguf_expert_keys,
    .rope = rope_kind::interleaved,
    .freq_factors = true,
    .more = read_gguf_llama,
    .tensors = {gguf_prefix, "blk.", gguf_outside, gguf_llama_block, gguf_final_norm, gguf_head,
                ".attn_rot_embd.weight", "rope_freqs.weight"},
};
inline constexpr gguf_family gguf_qwen2 = {
    .name = "qwen2",
    .tensors = gguf_table(gguf_qwen2_block),
};
inline constexpr gguf_family gguf_qwen3 = {
    .name = "qwen3",
    .tensors = gguf_table(gguf_qwen3_block),
};
inline constexpr gguf_family gguf_granite = {
    .name = "granite",
    .keys = gguf_granite_keys,
    .rope = rope_kind::interleaved,
    .freq_factors = true,
    .more = read_gguf_granite,
    .tensors = gguf_table(gguf_granite_block, "rope_freqs.weight"),
};
inline constexpr gguf_family gguf_granitemoe = {
    .name = "granitemoe",
    .keys = gguf_granite_keys,
    .rope = rope_kind::interleaved,
    .freq_factors = true,
    .more = read_gguf_granite,
    .tensors = gguf_table(gguf_granite_block, "rope_freqs.weight"),
};
inline constexpr gguf_family gguf_smollm3 = {
    .name = "smollm3",
    .rope = rope_kind::interleaved,
    .freq_factors = true,
    .finish = finish_gguf_smollm3,
    .tensors = gguf_table(gguf_llama_block, "rope_freqs.weight"),
};
inline constexpr gguf_family gguf_olmo = {
    .name = "olmo",
    .keys = "attention.clamp_kqv",
    .norm = norm_kind::layer,
    .rope = rope_kind::interleaved,
    .more = read_gguf_olmo,
    .tensors = {gguf_prefix, "blk.", gguf_outside, gguf_olmo_block, ones("final_norm", extent::width),
                gguf_head, ""},
};
// OLMo 3 too, which has windows, and no scaling of frequencies within them.
inline constexpr gguf_family gguf_olmo2 = {
    .name = "olmo2",
    .keys = "rope.freq_base_swa",
    .local = true,
    .windows = windowed::patterned,
    .pattern = 4,
    .tensors = gguf_table(gguf_olmo2_block),
};
inline constexpr gguf_family gguf_command_r = {
    .name = "command-r",
    .keys = "logit_scale",
    .norm = norm_kind::layer,
    .rope = rope_kind::interleaved,
    .form = block_form::parallel,
    .more = read_gguf_command,
    .tensors = gguf_table(gguf_command_block),
};
inline constexpr gguf_family gguf_cohere2 = {
    .name = "cohere2",
    .keys = "logit_scale rope.freq_base_swa",
    .norm = norm_kind::layer,
    .rope = rope_kind::interleaved,
    .local = true,
    .windows = windowed::patterned,
    .window = gguf_cohere2_window,
    .pattern = 4,
    .form = block_form::parallel,
    .more = read_gguf_command,
    .finish = finish_gguf_cohere2,
    .tensors = gguf_table(gguf_command_block),
};

}  // namespace depthlens::families
