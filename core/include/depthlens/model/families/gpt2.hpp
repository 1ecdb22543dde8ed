// SPDX-License-Identifier: Apache-2.0
// GPT-2: learned positions, LayerNorm, weights stored (in, out), q, k and v in one.
#pragma once

#include <string_view>

#include "depthlens/model/families/family.hpp"

namespace depthlens::families {

inline constexpr std::string_view transformer_prefix[] = {"transformer.", ""};
inline constexpr tensor_rule gpt2_outside[] = {{"embed", "wte", extent::vocabulary, extent::width},
                                               {"position", "wpe", extent::positions, extent::width}};
inline constexpr tensor_rule gpt2_block[] = {
    {"attn_norm", "ln_1", extent::width, extent::one, bias_of::always},
    {"q", "attn.c_attn", extent::query, extent::width, bias_of::always, true, fused_in::qkv, 0},
    {"k", "attn.c_attn", extent::key_value, extent::width, bias_of::always, true, fused_in::qkv, 1},
    {"v", "attn.c_attn", extent::key_value, extent::width, bias_of::always, true, fused_in::qkv, 2},
    {"o", "attn.c_proj", extent::width, extent::query, bias_of::always, true},
    {"ffn_norm", "ln_2", extent::width, extent::one, bias_of::always},
    {"up", "mlp.c_fc", extent::feed_forward, extent::width, bias_of::always, true},
    {"down", "mlp.c_proj", extent::width, extent::feed_forward, bias_of::always, true},
};

inline void read_gpt2(const json_view& config, architecture& a) {
  if (config_flag(config, "scale_attn_weights", true)) return;
  a.each_block([](block_part& b) { b.attention->scale = 1; });
}

inline constexpr model_family gpt2 = {
    .name = "gpt2",
    .layers = {"n_layer", size_key::required},
    .width = {"n_embd", size_key::required},
    .heads = {"n_head", size_key::required},
    .kv_heads = {},
    .head_dim = {},
    .feed_forward = {"n_inner", size_key::derived},
    .positions = {"n_positions", size_key::required},
    .eps_key = "layer_norm_epsilon",
    .eps = 1e-5,
    .activation_key = "activation_function",
    .activation = "gelu_new",
    .keys = "scale_attn_weights",
    .harmless =
        "attn_pdrop n_ctx n_special output_past predict_special_tokens "
        "reorder_and_upcast_attn summary_activation "
        "summary_first_dropout summary_proj_to_labels summary_type summary_use_proj",
    .norm = norm_kind::layer,
    .tied = true,
    .rope = {},
    .more = read_gpt2,
    .tensors = {transformer_prefix,
                "h.",
                gpt2_outside,
                gpt2_block,
                {"final_norm", "ln_f", extent::width, extent::one, bias_of::always},
                {"unembed", "lm_head", extent::vocabulary, extent::width},
                ".attn.bias .attn.masked_bias",  // the mask
                ""},
};

}  // namespace depthlens::families
