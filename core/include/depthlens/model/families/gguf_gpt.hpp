// SPDX-License-Identifier: Apache-2.0
// Families with layer norms and biases in GGUF: GPT-2, GPT-NeoX, GPT-J, BLOOM, Falcon, Phi 1 and 2, StableLM,
// StarCoder 2; and Phi 3.
#pragma once

#include <cstdint>

#include "depthlens/base/error.hpp"
#include "depthlens/model/families/alibi.hpp"
#include "depthlens/model/families/gguf_family.hpp"
#include "depthlens/model/families/gguf_tensors.hpp"

namespace depthlens::families {

// Pythia was trained with the exact GELU, GPT-NeoX-20B, the one with 44 blocks, with its tanh form; files do
// not say.
inline void read_gguf_gptneox(const gguf_file& file, architecture& a) {
  const bool parallel = file.find_bool("gptneox.use_parallel_residual").value_or(true);
  a.each_block([&](block_part& b) {
    b.form = parallel ? block_form::parallel : block_form::sequential;
    if (a.n_layers == 44) b.activation = activation_kind::gelu_tanh;
  });
}

// The first files of Phi-3 mini and medium with 4096 positions do not say that they have a window; later ones
// say 0 where there is none.
inline std::uint32_t gguf_phi3_window(const architecture& a) {
  return (a.n_layers == 32 || a.n_layers == 40) && a.max_positions == 4096 ? 2047 : 0;
}

inline void read_gguf_bloom(const gguf_file&, architecture& a) { set_alibi(a, alibi_kind::exact); }

// Where use_parallel_residual is not what the model was made with, the second norm tells.
inline void read_gguf_stablelm(const gguf_file& file, architecture& a) {
  if (file.find_tensor("blk.0.ffn_norm.weight") != nullptr) return;
  a.each_block([](block_part& b) { b.form = block_form::parallel; });
}

inline void read_gguf_starcoder2(const gguf_file& file, architecture& a) {
  constexpr std::uint32_t window = 4096;
  if (a.max_positions > window)
    a.notes.push_back(cat(file.path(), ": the format does not hold StarCoder 2's window of ", window,
                          " tokens, so that longer prompts are read without it, as llama.cpp does"));
}

inline constexpr auto gguf_gpt_block = joined(gguf_attn_layer_norm, gguf_attention(bias_of::always),
                                              gguf_ffn_layer_norm, gguf_plain_mlp(bias_of::always));
inline constexpr auto gguf_gptj_block =
    joined(gguf_attn_layer_norm, gguf_plain_attention, gguf_plain_mlp(bias_of::always));
inline constexpr auto gguf_phi2_block =
    joined(gguf_attn_layer_norm, gguf_attention(bias_of::always), gguf_plain_mlp(bias_of::always));
// With a second norm the first one is the MLP's.
inline constexpr tensor_rule gguf_falcon_norms[] = {
    without("attn_norm_2", {"attn_norm", "attn_norm", extent::width, extent::one, bias_of::always}),
    with("attn_norm_2", {"attn_norm", "attn_norm_2", extent::width, extent::one, bias_of::always}),
    with("attn_norm_2", {"ffn_norm", "attn_norm", extent::width, extent::one, bias_of::always})};
inline constexpr auto gguf_falcon_block =
    joined(gguf_falcon_norms, gguf_plain_attention, gguf_plain_mlp(bias_of::nothing));
inline constexpr tensor_rule gguf_stablelm_norm[] = {
    where_stored({"ffn_norm", "ffn_norm", extent::width, extent::one, bias_of::always})};
inline constexpr auto gguf_stablelm_block =
    joined(gguf_attn_layer_norm, gguf_queries(bias_of::present), gguf_output(bias_of::nothing),
           gguf_own_norms, gguf_stablelm_norm, gguf_gated_mlp);
inline constexpr tensor_rule gguf_phi3_mlp[] = {
    part_of(fused_in::gate_up, 0, {"gate", "ffn_up", extent::feed_forward, extent::width}),
    part_of(fused_in::gate_up, 1, {"up", "ffn_up", extent::feed_forward, extent::width}),
    {"down", "ffn_down", extent::width, extent::feed_forward}};
inline constexpr auto gguf_phi3_block =
    joined(gguf_attn_norm, gguf_plain_attention, gguf_ffn_norm, gguf_phi3_mlp);

inline constexpr tensor_rule gguf_gpt2_outside[] = {
    {"embed", "token_embd", extent::vocabulary, extent::width},
    {"position", "position_embd", extent::positions, extent::width}};
inline constexpr tensor_rule gguf_bloom_outside[] = {
    {"embed", "token_embd", extent::vocabulary, extent::width},
    {"embed_norm", "token_embd_norm", extent::width, extent::one, bias_of::always}};

inline constexpr gguf_family gguf_gpt2 = {
    .name = "gpt2",
    .norm = norm_kind::layer,
    .activation = activation_kind::gelu_tanh,
    .rotary = false,
    .tensors = {gguf_prefix, "blk.", gguf_gpt2_outside, gguf_gpt_block, gguf_final_layer_norm, gguf_head, ""},
};
inline constexpr gguf_family gguf_gptneox = {
    .name = "gptneox",
    .keys = "use_parallel_residual",
    .norm = norm_kind::layer,
    .activation = activation_kind::gelu,
    .part_varies = true,
    .more = read_gguf_gptneox,
    .tensors = gguf_layer_norm_table(gguf_gpt_block),
};
inline constexpr gguf_family gguf_gptj = {
    .name = "gptj",
    .norm = norm_kind::layer,
    .activation = activation_kind::gelu_tanh,
    .rope = rope_kind::interleaved,
    .part_varies = true,
    .form = block_form::parallel,
    .tensors = {gguf_prefix, "blk.", gguf_outside, gguf_gptj_block, gguf_final_layer_norm, gguf_biased_head,
                ""},
};
inline constexpr gguf_family gguf_bloom = {
    .name = "bloom",
    .norm = norm_kind::layer,
    .activation = activation_kind::gelu_tanh,
    .rotary = false,
    .more = read_gguf_bloom,
    .tensors = {gguf_prefix, "blk.", gguf_bloom_outside, gguf_gpt_block, gguf_final_layer_norm, gguf_head,
                ""},
};
// Those with ALiBi have biases, which are refused: the format does not hold them.
inline constexpr gguf_family gguf_falcon = {
    .name = "falcon",
    .norm = norm_kind::layer,
    .activation = activation_kind::gelu,
    .form = block_form::parallel,
    .tensors = gguf_layer_norm_table(gguf_falcon_block),
};
inline constexpr gguf_family gguf_phi2 = {
    .name = "phi2",
    .norm = norm_kind::layer,
    .activation = activation_kind::gelu_tanh,
    .part_varies = true,
    .form = block_form::parallel,
    .tensors = {gguf_prefix, "blk.", gguf_outside, gguf_phi2_block, gguf_final_layer_norm, gguf_biased_head,
                ""},
};
inline constexpr gguf_family gguf_phi3 = {
    .name = "phi3",
    .part_varies = true,
    .long_factors = true,
    .windows = windowed::all,
    .window = gguf_phi3_window,
    .tensors = gguf_table(gguf_phi3_block, "rope_factors_long.weight rope_factors_short.weight"),
};
inline constexpr gguf_family gguf_stablelm = {
    .name = "stablelm",
    .keys = "use_parallel_residual",
    .norm = norm_kind::layer,
    .part_varies = true,
    .more = read_gguf_stablelm,
    .tensors = gguf_layer_norm_table(gguf_stablelm_block),
};
inline constexpr gguf_family gguf_starcoder2 = {
    .name = "starcoder2",
    .norm = norm_kind::layer,
    .activation = activation_kind::gelu_tanh,
    .more = read_gguf_starcoder2,
    .tensors = gguf_layer_norm_table(gguf_gpt_block),
};

}  // namespace depthlens::families
