// SPDX-License-Identifier: Apache-2.0
// Gemma 1, 2 and the text model of Gemma 3: scaled embeddings, norms by 1 + weight; from 2 on also behind
// each part, and windows in most layers; soft caps (2), norms of q and k and other frequencies within windows
// (3).
#pragma once

#include <cmath>
#include <string_view>

#include "depthlens/base/error.hpp"
#include "depthlens/base/text.hpp"
#include "depthlens/model/families/llama.hpp"

namespace depthlens::families {

inline constexpr std::string_view gemma3_prefix[] = {"model.", "language_model.model.",
                                                     "model.language_model.", ""};
inline constexpr tensor_rule gemma2_block[] = {
    {"attn_norm", "input_layernorm", extent::width, extent::one},
    {"q", "self_attn.q_proj", extent::query, extent::width, bias_of::attention},
    {"k", "self_attn.k_proj", extent::key_value, extent::width, bias_of::attention},
    {"v", "self_attn.v_proj", extent::key_value, extent::width, bias_of::attention},
    {"o", "self_attn.o_proj", extent::width, extent::query, bias_of::attention},
    {"attn_post_norm", "post_attention_layernorm", extent::width, extent::one},
    {"ffn_norm", "pre_feedforward_layernorm", extent::width, extent::one},
    {"gate", "mlp.gate_proj", extent::feed_forward, extent::width},
    {"up", "mlp.up_proj", extent::feed_forward, extent::width},
    {"down", "mlp.down_proj", extent::width, extent::feed_forward},
    {"ffn_post_norm", "post_feedforward_layernorm", extent::width, extent::one},
};
inline constexpr tensor_rule gemma3_block[] = {
    {"attn_norm", "input_layernorm", extent::width, extent::one},
    {"q", "self_attn.q_proj", extent::query, extent::width, bias_of::attention},
    {"k", "self_attn.k_proj", extent::key_value, extent::width, bias_of::attention},
    {"v", "self_attn.v_proj", extent::key_value, extent::width, bias_of::attention},
    {"o", "self_attn.o_proj", extent::width, extent::query, bias_of::attention},
    {"q_norm", "self_attn.q_norm", extent::head, extent::one},
    {"k_norm", "self_attn.k_norm", extent::head, extent::one},
    {"attn_post_norm", "post_attention_layernorm", extent::width, extent::one},
    {"ffn_norm", "pre_feedforward_layernorm", extent::width, extent::one},
    {"gate", "mlp.gate_proj", extent::feed_forward, extent::width},
    {"up", "mlp.up_proj", extent::feed_forward, extent::width},
    {"down", "mlp.down_proj", extent::width, extent::feed_forward},
    {"ffn_post_norm", "post_feedforward_layernorm", extent::width, extent::one},
};

// A cap that is absent has the family's value; null means none, which 0 does not.
inline double read_softcap(const json_view& config, std::string_view key, double otherwise) {
  if (!config.as_object().contains(key)) return otherwise;
  const auto cap = config.find_double(key);
  if (cap && !(*cap > 0))
    fail(status::data, config.place(), key, " is ", *cap, ", expected more than 0, or null");
  return cap.value_or(0.0);
}

inline void read_gemma(const json_view& config, architecture& a) {
  a.embed_scale = static_cast<double>(static_cast<float>(std::sqrt(static_cast<double>(a.d_model))));
  const double scalar = config.find_double("query_pre_attn_scalar").value_or(256.0);
  if (!(scalar > 0))
    fail(status::data, config.place(), "query_pre_attn_scalar is ", scalar, ", expected more than 0");
  const bool second = a.family == "gemma2";
  const double cap = second ? read_softcap(config, "attn_logit_softcapping", 50.0) : 0.0;
  a.each_block([&](block_part& b) {
    b.attention->scale = 1 / std::sqrt(scalar);
    b.attention->softcap = cap;
  });
  if (const auto other = config.find("attn_logit_softcapping"); other && !second)
    fail(status::data, other->place(), "only null is supported: attention has no cap in Gemma 3");
  a.final_softcap = read_softcap(config, "final_logit_softcapping", second ? 30.0 : 0.0);
}

// The activation is the tanh form whatever hidden_act says.
inline void read_gemma1(const json_view& config, architecture& a) {
  a.embed_scale = static_cast<double>(static_cast<float>(std::sqrt(static_cast<double>(a.d_model))));
  for (const char* key : {"hidden_act", "hidden_activation"})
    if (const auto name = config.find(key);
        name && !detail::is_listed("gelu gelu_pytorch_tanh", name->as_string()))
      fail(status::data, name->place(), "is ", printable(name->as_string()),
           "; supported is gelu_pytorch_tanh");
}

inline constexpr model_family gemma = {
    .name = "gemma",
    .kv_heads = {"num_key_value_heads", 16},
    .head_dim = {"head_dim", 256},
    .positions = {"max_position_embeddings", 8192},
    .activation_key = nullptr,
    .activation = "gelu_pytorch_tanh",
    .keys = "attention_bias hidden_act hidden_activation",
    .norm_offset = 1,
    .tied = true,
    .more = read_gemma1,
    .tensors = llama_tensors,
};
inline constexpr model_family gemma2 = {
    .name = "gemma2",
    .kv_heads = {"num_key_value_heads", size_key::required},
    .head_dim = {"head_dim", 256},
    .positions = {"max_position_embeddings", 8192},
    .activation_key = "hidden_activation",
    .activation = "gelu_pytorch_tanh",
    .keys = "attention_bias attn_logit_softcapping final_logit_softcapping query_pre_attn_scalar",
    .harmless = "cache_implementation hidden_act sliding_window_size",
    .norm_offset = 1,
    .tied = true,
    .windows = windowed::patterned,
    .window = 4096,
    .pattern = 2,
    .more = read_gemma,
    .tensors = {model_prefix, "layers.", llama_outside, gemma2_block, llama_final_norm, llama_head,
                rotary_tables, ""},
};
// The sizes are those that the text part of a Gemma 3 with images leaves out.
inline constexpr model_family gemma3_text = {
    .name = "gemma3_text",
    .heads = {"num_attention_heads", 8},
    .kv_heads = {"num_key_value_heads", 4},
    .head_dim = {"head_dim", 256},
    .positions = {"max_position_embeddings", 131072},
    .vocabulary = {"vocab_size", 262208},
    .activation_key = "hidden_activation",
    .activation = "gelu_pytorch_tanh",
    .keys =
        "attention_bias attn_logit_softcapping final_logit_softcapping query_pre_attn_scalar "
        "sliding_window_pattern _sliding_window_pattern",
    .harmless = "cache_implementation hidden_act",
    .norm_offset = 1,
    .tied = true,
    .rope = {.used = true, .theta = 1000000, .local = true, .local_theta_key = "rope_local_base_freq"},
    .windows = windowed::patterned,
    .window = 4096,
    .pattern = 6,
    .more = read_gemma,
    .tensors = {gemma3_prefix, "layers.", llama_outside, gemma3_block, llama_final_norm, llama_head,
                rotary_tables,
                "vision_tower. model.vision_tower. multi_modal_projector. model.multi_modal_projector."},
};

}  // namespace depthlens::families
