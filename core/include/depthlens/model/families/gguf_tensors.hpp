// SPDX-License-Identifier: Apache-2.0
// Names and layouts of the tensors in GGUF files, by family. Converters have made all matrices (out, in), put
// q, k and v that are one tensor into rows of q, then k, then v, and added Gemma's 1 to the weights of its
// norms. Q and k of "llama" have their rows permuted, so that neighbouring dimensions are rotated together.
#pragma once

#include <span>
#include <string_view>

#include "depthlens/model/tensor_names.hpp"

namespace depthlens::families {

inline constexpr std::string_view gguf_prefix[] = {""};
inline constexpr tensor_rule gguf_outside[] = {{"embed", "token_embd", extent::vocabulary, extent::width}};
inline constexpr tensor_rule gguf_final_norm = {"final_norm", "output_norm", extent::width, extent::one};
inline constexpr tensor_rule gguf_final_layer_norm = {"final_norm", "output_norm", extent::width, extent::one,
                                                      bias_of::always};
inline constexpr tensor_rule gguf_head = {"unembed", "output", extent::vocabulary, extent::width};

inline constexpr tensor_rule gguf_llama_block[] = {
    {"attn_norm", "attn_norm", extent::width, extent::one},
    {"q", "attn_q", extent::query, extent::width, bias_of::present},
    {"k", "attn_k", extent::key_value, extent::width, bias_of::present},
    {"v", "attn_v", extent::key_value, extent::width, bias_of::present},
    {"o", "attn_output", extent::width, extent::query, bias_of::present},
    {"ffn_norm", "ffn_norm", extent::width, extent::one},
    {"gate", "ffn_gate", extent::feed_forward, extent::width, bias_of::present},
    {"up", "ffn_up", extent::feed_forward, extent::width, bias_of::present},
    {"down", "ffn_down", extent::width, extent::feed_forward, bias_of::present},
};
inline constexpr tensor_rule gguf_qwen2_block[] = {
    {"attn_norm", "attn_norm", extent::width, extent::one},
    {"q", "attn_q", extent::query, extent::width, bias_of::always},
    {"k", "attn_k", extent::key_value, extent::width, bias_of::always},
    {"v", "attn_v", extent::key_value, extent::width, bias_of::always},
    {"o", "attn_output", extent::width, extent::query},
    {"ffn_norm", "ffn_norm", extent::width, extent::one},
    {"gate", "ffn_gate", extent::feed_forward, extent::width},
    {"up", "ffn_up", extent::feed_forward, extent::width},
    {"down", "ffn_down", extent::width, extent::feed_forward},
};
inline constexpr tensor_rule gguf_qwen3_block[] = {
    {"attn_norm", "attn_norm", extent::width, extent::one},
    {"q", "attn_q", extent::query, extent::width, bias_of::present},
    {"k", "attn_k", extent::key_value, extent::width, bias_of::present},
    {"v", "attn_v", extent::key_value, extent::width, bias_of::present},
    {"o", "attn_output", extent::width, extent::query, bias_of::present},
    {"q_norm", "attn_q_norm", extent::head, extent::one},
    {"k_norm", "attn_k_norm", extent::head, extent::one},
    {"ffn_norm", "ffn_norm", extent::width, extent::one},
    {"gate", "ffn_gate", extent::feed_forward, extent::width},
    {"up", "ffn_up", extent::feed_forward, extent::width},
    {"down", "ffn_down", extent::width, extent::feed_forward},
};
inline constexpr tensor_rule gguf_gemma2_block[] = {
    {"attn_norm", "attn_norm", extent::width, extent::one},
    {"q", "attn_q", extent::query, extent::width},
    {"k", "attn_k", extent::key_value, extent::width},
    {"v", "attn_v", extent::key_value, extent::width},
    {"o", "attn_output", extent::width, extent::query},
    {"attn_post_norm", "post_attention_norm", extent::width, extent::one},
    {"ffn_norm", "ffn_norm", extent::width, extent::one},
    {"gate", "ffn_gate", extent::feed_forward, extent::width},
    {"up", "ffn_up", extent::feed_forward, extent::width},
    {"down", "ffn_down", extent::width, extent::feed_forward},
    {"ffn_post_norm", "post_ffw_norm", extent::width, extent::one},
};
inline constexpr tensor_rule gguf_gemma3_block[] = {
    {"attn_norm", "attn_norm", extent::width, extent::one},
    {"q", "attn_q", extent::query, extent::width},
    {"k", "attn_k", extent::key_value, extent::width},
    {"v", "attn_v", extent::key_value, extent::width},
    {"o", "attn_output", extent::width, extent::query},
    {"q_norm", "attn_q_norm", extent::head, extent::one},
    {"k_norm", "attn_k_norm", extent::head, extent::one},
    {"attn_post_norm", "post_attention_norm", extent::width, extent::one},
    {"ffn_norm", "ffn_norm", extent::width, extent::one},
    {"gate", "ffn_gate", extent::feed_forward, extent::width},
    {"up", "ffn_up", extent::feed_forward, extent::width},
    {"down", "ffn_down", extent::width, extent::feed_forward},
    {"ffn_post_norm", "post_ffw_norm", extent::width, extent::one},
};
inline constexpr tensor_rule gguf_olmo2_block[] = {
    {"q", "attn_q", extent::query, extent::width},
    {"k", "attn_k", extent::key_value, extent::width},
    {"v", "attn_v", extent::key_value, extent::width},
    {"o", "attn_output", extent::width, extent::query},
    {"q_norm", "attn_q_norm", extent::query, extent::one},
    {"k_norm", "attn_k_norm", extent::key_value, extent::one},
    {"attn_post_norm", "post_attention_norm", extent::width, extent::one},
    {"gate", "ffn_gate", extent::feed_forward, extent::width},
    {"up", "ffn_up", extent::feed_forward, extent::width},
    {"down", "ffn_down", extent::width, extent::feed_forward},
    {"ffn_post_norm", "post_ffw_norm", extent::width, extent::one},
};
inline constexpr tensor_rule gguf_phi3_block[] = {
    {"attn_norm", "attn_norm", extent::width, extent::one},
    {"q", "attn_qkv", extent::query, extent::width, bias_of::nothing, false, fused_in::qkv, 0},
    {"k", "attn_qkv", extent::key_value, extent::width, bias_of::nothing, false, fused_in::qkv, 1},
    {"v", "attn_qkv", extent::key_value, extent::width, bias_of::nothing, false, fused_in::qkv, 2},
    {"o", "attn_output", extent::width, extent::query},
    {"ffn_norm", "ffn_norm", extent::width, extent::one},
    {"gate", "ffn_up", extent::feed_forward, extent::width, bias_of::nothing, false, fused_in::gate_up, 0},
    {"up", "ffn_up", extent::feed_forward, extent::width, bias_of::nothing, false, fused_in::gate_up, 1},
    {"down", "ffn_down", extent::width, extent::feed_forward},
};
// GPT-2 and GPT-NeoX.
inline constexpr tensor_rule gguf_gpt_block[] = {
    {"attn_norm", "attn_norm", extent::width, extent::one, bias_of::always},
    {"q", "attn_qkv", extent::query, extent::width, bias_of::always, false, fused_in::qkv, 0},
    {"k", "attn_qkv", extent::key_value, extent::width, bias_of::always, false, fused_in::qkv, 1},
    {"v", "attn_qkv", extent::key_value, extent::width, bias_of::always, false, fused_in::qkv, 2},
    {"o", "attn_output", extent::width, extent::query, bias_of::always},
    {"ffn_norm", "ffn_norm", extent::width, extent::one, bias_of::always},
    {"up", "ffn_up", extent::feed_forward, extent::width, bias_of::always},
    {"down", "ffn_down", extent::width, extent::feed_forward, bias_of::always},
};
inline constexpr tensor_rule gguf_gpt2_outside[] = {
    {"embed", "token_embd", extent::vocabulary, extent::width},
    {"position", "position_embd", extent::positions, extent::width}};

// A family with RMS norms; `used_up` begins the names of tensors that the architecture has read.
constexpr tensor_table gguf_table(std::span<const tensor_rule> block, std::string_view used_up = "") {
  return {gguf_prefix, "blk.", gguf_outside, block, gguf_final_norm, gguf_head, "", used_up};
}

inline constexpr tensor_table gguf_llama_tensors = {gguf_prefix,
                                                    "blk.",
                                                    gguf_outside,
                                                    gguf_llama_block,
                                                    gguf_final_norm,
                                                    gguf_head,
                                                    ".attn_rot_embd.weight",
                                                    "rope_freqs.weight"};
inline constexpr tensor_table gguf_gpt2_tensors = {
    gguf_prefix, "blk.", gguf_gpt2_outside, gguf_gpt_block, gguf_final_layer_norm, gguf_head, ""};
inline constexpr tensor_table gguf_gptneox_tensors = {
    gguf_prefix, "blk.", gguf_outside, gguf_gpt_block, gguf_final_layer_norm, gguf_head, ""};

}  // namespace depthlens::families
