// SPDX-License-Identifier: Apache-2.0
// Families whose parts are scaled or placed otherwise than Llama's: Granite (embeddings, scores, residuals
// and logits), Cohere (parallel blocks, logits), SmolLM3 (layers without rotary positions).
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "depthlens/base/error.hpp"
#include "depthlens/model/families/experts.hpp"
#include "depthlens/model/families/llama.hpp"

namespace depthlens::families {

inline double positive(const json_view& config, const char* key, double otherwise) {
  const double value = config.find_double(key).value_or(otherwise);
  if (!(value > 0)) fail(status::data, config.place(), key, " is ", value, ", expected more than 0");
  return value;
}

inline void read_granite(const json_view& config, architecture& a) {
  a.embed_scale = positive(config, "embedding_multiplier", 1);
  a.logit_scale = 1 / positive(config, "logits_scaling", 1);
  const double attention = positive(config, "attention_multiplier", 1),
               residual = positive(config, "residual_multiplier", 1);
  a.each_block([&](block_part& b) {
    b.attention->scale = attention;
    b.residual_scale = residual;
  });
}

inline void read_cohere(const json_view& config, architecture& a) {
  a.logit_scale = positive(config, "logit_scale", 0.0625);
  a.head_norms = config_flag(config, "use_qk_norm", false);
}

// no_rope_layers has a 1 for each layer that has rotary positions; the others have a window where there is
// one and layer_types says nothing.
inline void finish_smollm3(const json_view& config, architecture& a) {
  const std::uint64_t interval = config.find_u64("no_rope_layer_interval").value_or(4);
  const auto list = config.find("no_rope_layers");
  const bool windows = config_flag(config, "use_sliding_window", false);
  const std::optional<std::uint64_t> window = windows ? config.find_u64("sliding_window") : std::nullopt;
  if (interval == 0) fail(status::data, config.place(), "no_rope_layer_interval is 0, expected at least 1");
  if (list && list->as_array().size() != a.n_layers)
    fail(status::data, list->place(), "has ", list->as_array().size(), " layers, expected ", a.n_layers);
  for (std::uint32_t i = 0; i < a.n_layers; ++i) {
    const bool turned = list ? list->at(i).as_u64() != 0 : (i + 1) % interval != 0;
    attention_part& t = *a.blocks[i].attention;
    if (turned) continue;
    if (window && !config.find("layer_types") && *window < a.max_positions)
      t.window = static_cast<std::uint32_t>(*window);
    t.rope_dims = 0;
    t.rope_inv_freq = {};
  }
}

inline constexpr tensor_rule cohere_block[] = {
    {"attn_norm", "input_layernorm", extent::width, extent::one},
    {"q", "self_attn.q_proj", extent::query, extent::width, bias_of::attention},
    {"k", "self_attn.k_proj", extent::key_value, extent::width, bias_of::attention},
    {"v", "self_attn.v_proj", extent::key_value, extent::width, bias_of::attention},
    {"o", "self_attn.o_proj", extent::width, extent::query, bias_of::attention},
    {"q_norm", "self_attn.q_norm", extent::heads, extent::head, plain, false, whole, 0, only_in::head_norms},
    {"k_norm", "self_attn.k_norm", extent::kv_heads, extent::head, plain, false, whole, 0,
     only_in::head_norms},
    {"gate", "mlp.gate_proj", extent::feed_forward, extent::width},
    {"up", "mlp.up_proj", extent::feed_forward, extent::width},
    {"down", "mlp.down_proj", extent::width, extent::feed_forward},
};

inline constexpr model_family granite = {
    .name = "granite",
    .positions = {"max_position_embeddings", 2048},
    .keys =
        "attention_bias attention_multiplier embedding_multiplier logits_scaling mlp_bias "
        "residual_multiplier",
    .more = read_granite,
    .tensors = llama_tensors,
};
inline constexpr model_family cohere = {
    .name = "cohere",
    .positions = {"max_position_embeddings", 8192},
    .eps_key = "layer_norm_eps",
    .eps = 1e-5,
    .keys = "attention_bias logit_scale use_qk_norm",
    .norm = norm_kind::layer,
    .form = block_form::parallel,
    .tied = true,
    .rope = {.used = true, .kind = rope_kind::interleaved, .theta = 500000},
    .more = read_cohere,
    .tensors = {model_prefix, "layers.", llama_outside, cohere_block, llama_final_norm, llama_head,
                rotary_tables},
};
inline constexpr model_family smollm3 = {
    .name = "smollm3",
    .kv_heads = {"num_key_value_heads", 4},
    .positions = {"max_position_embeddings", 32768},
    .keys = "attention_bias mlp_bias no_rope_layer_interval no_rope_layers use_sliding_window",
    .tied = true,
    .rope = {.used = true, .theta = 2000000},
    .windows = windowed::by_list,
    .finish = finish_smollm3,
    .tensors = llama_tensors,
};

}  // namespace depthlens::families
