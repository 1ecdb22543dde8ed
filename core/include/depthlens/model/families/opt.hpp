// SPDX-License-Identifier: Apache-2.0
// OPT: learned positions that begin at row 2, LayerNorm, ReLU. Only where the norms come first and the
// embedding is as wide as the model, which is all but OPT-350M.
#pragma once

#include <string_view>

#include "depthlens/base/error.hpp"
#include "depthlens/model/families/family.hpp"

namespace depthlens::families {

inline constexpr std::string_view opt_prefix[] = {"model.decoder.", "decoder."};
inline constexpr tensor_rule opt_outside[] = {
    {"embed", "embed_tokens", extent::vocabulary, extent::width},
    {"position", "embed_positions", extent::positions, extent::width}};
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

inline void read_opt(const json_view& config, architecture& a) {
  a.attention_bias = a.mlp_bias = config_flag(config, "enable_bias", true);
  for (const char* key : {"do_layer_norm_before", "layer_norm_elementwise_affine"}) {
    if (!config_flag(config, key, true))
      fail(status::data, config.place(), key, " is false, but only true is supported");
  }
  if (const auto width = config.find("word_embed_proj_dim"); width && width->as_u64() != a.d_model) {
    fail(status::data, width->place(), "is ", width->as_u64(), " and not the model's width ", a.d_model,
         ": projected embeddings are not supported");
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
    .keys = "do_layer_norm_before enable_bias layer_norm_elementwise_affine word_embed_proj_dim",
    .harmless = "activation_dropout dropout init_std layerdrop output_projection",
    .norm = norm_kind::layer,
    .tied = true,
    .position_offset = 2,
    .rope = {},
    .more = read_opt,
    .tensors = {opt_prefix,
                "layers.",
                opt_outside,
                opt_block,
                {"final_norm", "final_layer_norm", extent::width, extent::one, bias_of::always},
                {"unembed", "lm_head", extent::vocabulary, extent::width},
                "",
                ""},
};

}  // namespace depthlens::families
