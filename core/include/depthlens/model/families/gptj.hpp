// SPDX-License-Identifier: Apache-2.0
// GPT-J: attention and MLP read the same norm, neighbouring dimensions are rotated, the unembedding has a
// bias.
#pragma once

#include <string_view>

#include "depthlens/model/families/family.hpp"

namespace depthlens::families {

inline constexpr std::string_view gptj_prefix[] = {"transformer.", ""};
inline constexpr tensor_rule gptj_outside[] = {{"embed", "wte", extent::vocabulary, extent::width}};
inline constexpr tensor_rule gptj_block[] = {
    {"attn_norm", "ln_1", extent::width, extent::one, bias_of::always},
    {"q", "attn.q_proj", extent::query, extent::width},
    {"k", "attn.k_proj", extent::key_value, extent::width},
    {"v", "attn.v_proj", extent::key_value, extent::width},
    {"o", "attn.out_proj", extent::width, extent::query},
    {"up", "mlp.fc_in", extent::feed_forward, extent::width, bias_of::always},
    {"down", "mlp.fc_out", extent::width, extent::feed_forward, bias_of::always},
};

inline constexpr model_family gptj = {
    .name = "gptj",
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
    .harmless =
        "attn_pdrop n_ctx summary_activation summary_first_dropout "
        "summary_proj_to_labels summary_type summary_use_proj",
    .only_true = "rotary scale_attn_weights",
    .norm = norm_kind::layer,
    .form = block_form::parallel,
    .rope = {.used = true,
             .kind = rope_kind::interleaved,
             .theta_key = nullptr,
             .part_key = nullptr,
             .dims_key = "rotary_dim",
             .dims = 64},
    .tensors = {gptj_prefix,
                "h.",
                gptj_outside,
                gptj_block,
                {"final_norm", "ln_f", extent::width, extent::one, bias_of::always},
                {"unembed", "lm_head", extent::vocabulary, extent::width, bias_of::always},
                ".attn.bias .attn.masked_bias",
                ""},
};

}  // namespace depthlens::families
