// SPDX-License-Identifier: Apache-2.0
// GPT-Neo: GPT-2 with separate queries, keys and values, whose scores are not scaled, and a window in every
// layer that attention_types calls local.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "depthlens/base/error.hpp"
#include "depthlens/model/families/experts.hpp"
#include "depthlens/model/families/gpt2.hpp"

namespace depthlens::families {

inline constexpr tensor_rule gpt_neo_block[] = {
    {"attn_norm", "ln_1", extent::width, extent::one, bias_of::always},
    {"q", "attn.attention.q_proj", extent::query, extent::width},
    {"k", "attn.attention.k_proj", extent::key_value, extent::width},
    {"v", "attn.attention.v_proj", extent::key_value, extent::width},
    {"o", "attn.attention.out_proj", extent::width, extent::query, bias_of::always},
    {"ffn_norm", "ln_2", extent::width, extent::one, bias_of::always},
    {"up", "mlp.c_fc", extent::feed_forward, extent::width, bias_of::always},
    {"down", "mlp.c_proj", extent::width, extent::feed_forward, bias_of::always},
};

// attention_types: [[["global", "local"], 12], ...], each list so many times.
inline std::vector<bool> local_layers(const json_view& config, std::uint32_t n) {
  std::vector<bool> out;
  const json_view types = config.require("attention_types");
  for (std::size_t i = 0; i < types.as_array().size(); ++i) {
    const json_view one = types.at(i), names = one.at(0);
    const std::uint64_t times = one.at(1).as_u64();
    for (std::uint64_t t = 0; t < times && out.size() <= n; ++t)
      for (std::size_t k = 0; k < names.as_array().size(); ++k) {
        const std::string_view name = names.at(k).as_string();
        if (name != "global" && name != "local")
          fail(status::data, names.at(k).place(), "is ", printable(name), ", expected global or local");
        out.push_back(name == "local");
      }
  }
  if (out.size() != n) fail(status::data, types.place(), "are for other than ", n, " layers");
  return out;
}

inline void read_gpt_neo(const json_view& config, architecture& a) {
  const std::uint32_t window = expert_width(config, "window_size", 256);
  const std::vector<bool> local = local_layers(config, a.n_layers);
  if (window == 0) fail(status::data, config.place(), "window_size is 0, expected at least 1");
  for (std::uint32_t i = 0; i < a.n_layers; ++i) {
    a.blocks[i].attention->scale = 1;
    if (local[i] && window < a.max_positions) a.blocks[i].attention->window = window;
  }
}

inline constexpr model_family gpt_neo = {
    .name = "gpt_neo",
    .layers = {"num_layers", size_key::required},
    .heads = {"num_heads", size_key::required},
    .kv_heads = {},
    .head_dim = {},
    .feed_forward = {"intermediate_size", size_key::derived},
    .eps_key = "layer_norm_epsilon",
    .eps = 1e-5,
    .activation_key = "activation_function",
    .activation = "gelu_new",
    .keys = "attention_types window_size",
    .harmless =
        "attention_layers embed_dropout resid_dropout summary_activation summary_first_dropout "
        "summary_proj_to_labels summary_type summary_use_proj",
    .norm = norm_kind::layer,
    .tied = true,
    .rope = {},
    .more = read_gpt_neo,
    .tensors = {transformer_prefix,
                "h.",
                gpt2_outside,
                gpt_neo_block,
                {"final_norm", "ln_f", extent::width, extent::one, bias_of::always},
                {"unembed", "lm_head", extent::vocabulary, extent::width},
                ".attn.attention.bias .attn.attention.masked_bias"},
};

}  // namespace depthlens::families
