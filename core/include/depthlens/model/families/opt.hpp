// SPDX-License-Identifier: Apache-2.0
// OPT: learned positions that begin at row 2, LayerNorm, ReLU. Of its sizes OPT-350M alone has norms behind
// what is added, none at the end, and embeddings that are narrower than the model.
#pragma once

#include <cstdint>
#include <string_view>

#include "depthlens/base/error.hpp"
#include "depthlens/model/families/family.hpp"
#include "depthlens/model/families/rules.hpp"

namespace depthlens::families {

inline constexpr std::string_view opt_prefix[] = {"model.decoder.", "decoder."};
inline constexpr tensor_rule opt_outside[] = {
    {"embed", "embed_tokens", extent::vocabulary, extent::embedding},
    {"position", "embed_positions", extent::positions, extent::width},
    in_blocks(only_in::projected, {"in_projection", "project_in", extent::width, extent::embedding}),
    in_blocks(only_in::projected, {"out_projection", "project_out", extent::embedding, extent::width})};
inline constexpr tensor_rule opt_block[] = {
    {"attn_norm", "self_attn_layer_norm", extent::width, extent::one, bias_of::always},
    {"q", "self_attn.q_proj", extent::query, extent::width, bias_of::attention},
    {"k", "self_attn.k_proj", extent::key_value, extent::width, bias_of::attention},
    {"v", "self_attn.v_proj", extent::key_value, extent::width, bias_of::attention},
    {"o", "self_attn.out_proj", extent::width, extent::query, bias_of::attention},
    {"ffn_norm", "final_layer_norm", extent::width, extent::one, bias_of::always},
    {"up", "fc1", extent::feed_forward, extent::width, bias_of::mlp},
    {"down", "fc2", extent::width, extent::feed_forward, bias_of::mlp},
};

inline constexpr tensor_rule opt_head = {"unembed", "lm_head", extent::vocabulary, extent::embedding};
inline constexpr tensor_table opt_tensors = {
    opt_prefix,
    "layers.",
    opt_outside,
    opt_block,
    {"final_norm", "final_layer_norm", extent::width, extent::one, bias_of::always},
    opt_head,
    ""};
// What a lens reads of a layer is then the layer itself, projected where the embedding is narrower.
inline constexpr tensor_table opt_tensors_no_final_norm = {opt_prefix, "layers.", opt_outside, opt_block,
                                                           {},         opt_head,  ""};

inline const tensor_table* opt_table(const architecture& a) {
  return a.final_norm ? &opt_tensors : &opt_tensors_no_final_norm;
}

inline void read_opt(const json_view& config, architecture& a) {
  a.attention_bias = a.mlp_bias = config_flag(config, "enable_bias", true);
  if (!config_flag(config, "layer_norm_elementwise_affine", true))
    fail(status::data, config.place(), "layer_norm_elementwise_affine is false, but only true is supported");
  const bool before = config_flag(config, "do_layer_norm_before", true);
  if (!before) a.each_block([](block_part& b) { b.form = block_form::norm_after; });
  a.final_norm = before && !config_flag(config, "_remove_final_layer_norm", false);
  if (const auto width = config.find("word_embed_proj_dim")) {
    const std::uint64_t value = width->as_u64();
    if (value < 1 || value > size_limits::width)
      fail(status::data, width->place(), "is ", value, ", expected 1 to ", size_limits::width);
    a.embed_dim = static_cast<std::uint32_t>(value);
  }
}

inline constexpr model_family opt = {
    .name = "opt",
    .kv_heads = {},
    .head_dim = {},
    .feed_forward = {"ffn_dim", size_key::required},
    .eps_key = nullptr,
    .eps = 1e-5,
    .activation_key = "activation_function",
    .activation = "relu",
    .keys =
        "_remove_final_layer_norm do_layer_norm_before enable_bias layer_norm_elementwise_affine "
        "word_embed_proj_dim",
    .harmless = "activation_dropout dropout init_std layerdrop output_projection",
    .norm = norm_kind::layer,
    .tied = true,
    .position_offset = 2,
    .rope = {},
    .more = read_opt,
    .tensors = opt_tensors,
    .table = opt_table,
};

}  // namespace depthlens::families
