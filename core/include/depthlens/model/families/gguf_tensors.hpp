// SPDX-License-Identifier: Apache-2.0
// Names and layouts of the tensors in GGUF files that many families share. Converters have made all matrices
// (out, in), put q, k and v that are one tensor into rows of q, then k, then v, and added Gemma's and Qwen
// 3.5's 1 to the weights of their norms. Q and k of families with rope_kind::interleaved, unless their models
// rotate neighbours anyway, have their rows permuted, so that neighbouring dimensions are rotated together.
#pragma once

#include <array>
#include <span>
#include <string_view>

#include "depthlens/model/families/rules.hpp"
#include "depthlens/model/tensor_names.hpp"

namespace depthlens::families {

inline constexpr std::string_view gguf_prefix[] = {""};
inline constexpr tensor_rule gguf_outside[] = {{"embed", "token_embd", extent::vocabulary, extent::width}};
inline constexpr tensor_rule gguf_final_norm = {"final_norm", "output_norm", extent::width, extent::one};
inline constexpr tensor_rule gguf_final_layer_norm = {"final_norm", "output_norm", extent::width, extent::one,
                                                      bias_of::always};
inline constexpr tensor_rule gguf_head = {"unembed", "output", extent::vocabulary, extent::width};
inline constexpr tensor_rule gguf_biased_head = {"unembed", "output", extent::vocabulary, extent::width,
                                                 bias_of::always};

constexpr std::array<tensor_rule, 1> gguf_norm(const char* canonical, const char* stored,
                                               bias_of bias = bias_of::nothing) {
  return {tensor_rule{canonical, stored, extent::width, extent::one, bias}};
}
inline constexpr auto gguf_attn_norm = gguf_norm("attn_norm", "attn_norm");
inline constexpr auto gguf_ffn_norm = gguf_norm("ffn_norm", "ffn_norm");
inline constexpr auto gguf_attn_layer_norm = gguf_norm("attn_norm", "attn_norm", bias_of::always);
inline constexpr auto gguf_ffn_layer_norm = gguf_norm("ffn_norm", "ffn_norm", bias_of::always);
inline constexpr auto gguf_post_norms =
    joined(gguf_norm("attn_post_norm", "post_attention_norm"), gguf_norm("ffn_post_norm", "post_ffw_norm"));

// One by one, or in one tensor if the converter was told to.
constexpr std::array<tensor_rule, 6> gguf_queries(bias_of bias) {
  constexpr const char* one = "attn_qkv";
  return {without(one, {"q", "attn_q", extent::query, extent::width, bias}),
          without(one, {"k", "attn_k", extent::key_value, extent::width, bias}),
          without(one, {"v", "attn_v", extent::key_value, extent::width, bias}),
          with(one, part_of(fused_in::qkv, 0, {"q", one, extent::query, extent::width, bias})),
          with(one, part_of(fused_in::qkv, 1, {"k", one, extent::key_value, extent::width, bias})),
          with(one, part_of(fused_in::qkv, 2, {"v", one, extent::key_value, extent::width, bias}))};
}
constexpr std::array<tensor_rule, 1> gguf_output(bias_of bias) {
  return {tensor_rule{"o", "attn_output", extent::width, extent::mixed, bias}};
}
constexpr auto gguf_attention(bias_of bias) { return joined(gguf_queries(bias), gguf_output(bias)); }

inline constexpr tensor_rule gguf_head_norms[] = {{"q_norm", "attn_q_norm", extent::head, extent::one},
                                                  {"k_norm", "attn_k_norm", extent::head, extent::one}};
inline constexpr tensor_rule gguf_whole_norms[] = {  // over all heads together
    {"q_norm", "attn_q_norm", extent::query, extent::one},
    {"k_norm", "attn_k_norm", extent::key_value, extent::one}};
inline constexpr tensor_rule gguf_own_norms[] = {  // a weight of its own for each head, where there are any
    where_stored({"q_norm", "attn_q_norm", extent::heads, extent::head}),
    where_stored({"k_norm", "attn_k_norm", extent::kv_heads, extent::head})};

constexpr std::array<tensor_rule, 3> gguf_mlp(bias_of bias) {
  return {in_blocks(only_in::dense, {"gate", "ffn_gate", extent::feed_forward, extent::width, bias}),
          in_blocks(only_in::dense, {"up", "ffn_up", extent::feed_forward, extent::width, bias}),
          in_blocks(only_in::dense, {"down", "ffn_down", extent::width, extent::feed_forward, bias})};
}
constexpr std::array<tensor_rule, 2> gguf_plain_mlp(bias_of bias) {
  return {tensor_rule{"up", "ffn_up", extent::feed_forward, extent::width, bias},
          tensor_rule{"down", "ffn_down", extent::width, extent::feed_forward, bias}};
}

// Of q, k, v and the MLP of early files of many families nobody knows whether they have biases.
inline constexpr auto gguf_llama_attention = gguf_attention(bias_of::present);
inline constexpr auto gguf_llama_mlp = gguf_mlp(bias_of::present);
inline constexpr auto gguf_plain_attention = gguf_attention(bias_of::nothing);
inline constexpr auto gguf_gated_mlp = gguf_mlp(bias_of::nothing);

// A family with RMS norms; `used_up` begins the names of tensors that the architecture has read.
constexpr tensor_table gguf_table(std::span<const tensor_rule> block, std::string_view used_up = "",
                                  std::string_view left_out = "") {
  return {gguf_prefix, "blk.", gguf_outside, block, gguf_final_norm, gguf_head, "", used_up, left_out};
}
constexpr tensor_table gguf_layer_norm_table(std::span<const tensor_rule> block) {
  return {gguf_prefix, "blk.", gguf_outside, block, gguf_final_layer_norm, gguf_head, ""};
}

}  // namespace depthlens::families
