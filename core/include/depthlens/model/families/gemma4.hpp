// SPDX-License-Identifier: Apache-2.0
// The text model of Gemma 4: plain norms, also of values, head sizes by kind of layer, keys and values that
// the last layers share, inputs of each layer, a scale of each layer's output, experts beside the dense part
// where asked.
#pragma once

#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "depthlens/base/error.hpp"
#include "depthlens/model/families/experts.hpp"
#include "depthlens/model/families/gemma.hpp"

namespace depthlens::families {

inline constexpr tensor_rule gemma4_outside[] = {
    {"embed", "embed_tokens", extent::vocabulary, extent::width},
    {"layer_embed", "embed_tokens_per_layer", extent::layer_vocabulary, extent::layer_inputs, plain, false,
     whole, 0, only_in::layer_inputs},
    {"layer_projection", "per_layer_model_projection", extent::layer_inputs, extent::width, plain, false,
     whole, 0, only_in::layer_inputs},
    {"layer_embed_norm", "per_layer_projection_norm", extent::layer_input, extent::one, plain, false, whole,
     0, only_in::layer_inputs},
};
inline constexpr tensor_rule gemma4_block[] = {
    {"attn_norm", "input_layernorm", extent::width, extent::one},
    {"q", "self_attn.q_proj", extent::query, extent::width, bias_of::attention},
    {"k", "self_attn.k_proj", extent::key_value, extent::width, bias_of::attention, false, whole, 0,
     only_in::own_kv},
    {"v", "self_attn.v_proj", extent::key_value, extent::width, bias_of::attention, false, whole, 0,
     only_in::own_v},
    {"v", "self_attn.k_proj", extent::key_value, extent::width, bias_of::attention, false, whole, 0,
     only_in::v_of_k},
    {"o", "self_attn.o_proj", extent::width, extent::query, bias_of::attention},
    {"q_norm", "self_attn.q_norm", extent::head, extent::one},
    {"k_norm", "self_attn.k_norm", extent::head, extent::one, plain, false, whole, 0, only_in::own_kv},
    {"v_norm", "self_attn.v_norm", extent::head, extent::one, plain, false, whole, 0, only_in::own_kv,
     made::ones},
    {"attn_post_norm", "post_attention_layernorm", extent::width, extent::one},
    {"ffn_norm", "pre_feedforward_layernorm", extent::width, extent::one},
    {"gate", "mlp.gate_proj", extent::feed_forward, extent::width},
    {"up", "mlp.up_proj", extent::feed_forward, extent::width},
    {"down", "mlp.down_proj", extent::width, extent::feed_forward},
    {"dense_post_norm", "post_feedforward_layernorm_1", extent::width, extent::one, plain, false, whole, 0,
     only_in::experts},
    {"router", "router.proj", extent::experts, extent::width, plain, false, whole, 0, only_in::experts},
    {"router_norm", "=router.scale", extent::width, extent::one, plain, false, whole, 0, only_in::experts,
     made::root_scaled},
    {"expert_scale", "=router.per_expert_scale", extent::experts, extent::one, plain, false, whole, 0,
     only_in::experts},
    {"expert_norm", "pre_feedforward_layernorm_2", extent::width, extent::one, plain, false, whole, 0,
     only_in::experts},
    {"expert_post_norm", "post_feedforward_layernorm_2", extent::width, extent::one, plain, false, whole, 0,
     only_in::experts},
    {"expert.#.gate", "=experts.gate_up_proj", extent::expert_feed_forward, extent::width, plain, false,
     fused_in::gate_up, 0, only_in::experts},
    {"expert.#.up", "=experts.gate_up_proj", extent::expert_feed_forward, extent::width, plain, false,
     fused_in::gate_up, 1, only_in::experts},
    {"expert.#.down", "=experts.down_proj", extent::width, extent::expert_feed_forward, plain, false, whole,
     0, only_in::experts},
    {"ffn_post_norm", "post_feedforward_layernorm", extent::width, extent::one},
    {"layer_gate", "per_layer_input_gate", extent::layer_input, extent::width, plain, false, whole, 0,
     only_in::layer_inputs},
    {"layer_out", "per_layer_projection", extent::width, extent::layer_input, plain, false, whole, 0,
     only_in::layer_inputs},
    {"layer_post_norm", "post_per_layer_input_norm", extent::width, extent::one, plain, false, whole, 0,
     only_in::layer_inputs},
    {"output scale", "=layer_scalar", extent::one, extent::one, plain, false, whole, 0, only_in::any,
     made::output_scale},
};

// Is each layer a full one? The last one always is.
inline std::vector<bool> gemma4_full_layers(const json_view& config, std::uint32_t n) {
  std::vector<bool> out(n);
  const auto types = config.find("layer_types");
  if (types && types->as_array().size() != n)
    fail(status::data, types->place(), "has ", types->as_array().size(), " layers, expected ", n);
  for (std::uint32_t i = 0; i < n; ++i)
    out[i] = types ? types->at(i).as_string() == "full_attention" : (i + 1) % 6 == 0;
  if (!out[n - 1])
    fail(status::data, types ? types->place() : config.place(),
         "the last layer is not full_attention, as it must be in this family");
  return out;
}

// Full layers have heads of their own size and number, by per_layer_config or the older keys.
inline void set_gemma4_heads(const json_view& config, const std::vector<bool>& full, architecture& a) {
  const auto per_layer = config.find("per_layer_config");
  const bool k_is_v = config_flag(config, "attention_k_eq_v", false);
  const std::uint32_t head = expert_width(config, "global_head_dim", 512);
  const auto kv = config.find_u64("num_global_key_value_heads");
  for (std::uint32_t i = 0; i < a.n_layers; ++i) {
    attention_part& t = *a.blocks[i].attention;
    t.scale = 1;
    if (!full[i]) continue;
    t.values_are_keys = k_is_v;
    if (!per_layer) {
      t.head_dim = head;
      if (kv && k_is_v) t.n_kv_heads = expert_width(config, "num_global_key_value_heads", 0);
    }
    t.value_dim = t.head_dim;
  }
  if (!per_layer) return;
  for (const auto& [key, value] : per_layer->as_object()) {
    const std::string name(key.data(), key.size());
    const json_view own = per_layer->require(name);
    const bool number = !name.empty() && name.size() < 6 && name.find_first_not_of("0123456789") == name.npos;
    if (!number || std::stoul(name) >= a.n_layers)
      fail(status::data, own.place(), "is not one of the ", a.n_layers, " layers");
    attention_part& t = *a.blocks[std::stoul(name)].attention;
    for (const auto& [inner, ignored] : own.as_object()) {
      const std::string_view what(inner.data(), inner.size());
      if (!detail::is_listed("head_dim num_key_value_heads", what)) detail::refuse_config_key(own, what);
    }
    t.head_dim = t.value_dim = expert_width(own, "head_dim", t.head_dim);
    t.n_kv_heads = expert_width(own, "num_key_value_heads", t.n_kv_heads);
  }
}

// The last layers take keys and values of the last layer of their kind before them.
inline void share_gemma4_kv(const json_view& config, const std::vector<bool>& full, architecture& a) {
  const std::uint32_t shared = expert_width(config, "num_kv_shared_layers", 0);
  if (shared >= a.n_layers)
    fail(status::data, config.place(), "num_kv_shared_layers is ", shared, ", expected less than ",
         a.n_layers);
  const bool double_wide = config_flag(config, "use_double_wide_mlp", false);
  for (std::uint32_t i = a.n_layers - shared; i < a.n_layers; ++i) {
    std::uint32_t from = a.n_layers - shared;
    while (from > 0 && full[from - 1] != full[i]) --from;
    if (from == 0)
      fail(status::data, config.place(), "no layer before the ", shared,
           " of num_kv_shared_layers has keys and values of each kind");
    a.blocks[i].attention->kv_layer = from - 1;
    if (double_wide) a.blocks[i].d_ff *= 2;
  }
}

inline void read_gemma4_experts(const json_view& config, architecture& a) {
  if (!config_flag(config, "enable_moe_block", false)) return;
  const expert_part experts{.n_experts = expert_width(config, "num_experts", 0),
                            .n_used = expert_width(config, "top_k_experts", 0),
                            .d_ff = expert_width(config, "moe_intermediate_size", 0),
                            .normalised = true};
  a.each_block([&](block_part& b) { b.experts = experts; });
}

inline void read_gemma4(const json_view& config, architecture& a) {
  a.embed_scale = static_cast<double>(static_cast<float>(std::sqrt(static_cast<double>(a.d_model))));
  a.final_softcap = read_softcap(config, "final_logit_softcapping", 0.0);
  const auto both = config.find("use_bidirectional_attention");
  if (both && both->as_string() != "vision")
    fail(status::data, both->place(), "is ", printable(both->as_string()), "; supported are null and vision");
  const std::vector<bool> full = gemma4_full_layers(config, a.n_layers);
  set_gemma4_heads(config, full, a);
  share_gemma4_kv(config, full, a);
  read_gemma4_experts(config, a);
  const std::uint32_t dim = expert_width(config, "hidden_size_per_layer_input", 256);
  if (dim == 0) return;
  a.layer_inputs = {
      .dim = dim,
      .vocab_size = expert_width(config, "vocab_size_per_layer_input", 262144),
      .embed_scale = static_cast<double>(static_cast<float>(std::sqrt(static_cast<double>(dim)))),
      .projection_scale = 1 / std::sqrt(static_cast<double>(a.d_model)),
      .sum_scale = 1 / std::sqrt(2.0)};
}

inline constexpr model_family gemma4_text = {
    .name = "gemma4_text",
    .heads = {"num_attention_heads", 8},
    .kv_heads = {"num_key_value_heads", 4},
    .head_dim = {"head_dim", 256},
    .positions = {"max_position_embeddings", 131072},
    .vocabulary = {"vocab_size", 262144},
    .activation_key = "hidden_activation",
    .activation = "gelu_pytorch_tanh",
    .keys =
        "attention_bias attention_k_eq_v enable_moe_block final_logit_softcapping global_head_dim "
        "hidden_size_per_layer_input moe_intermediate_size num_experts num_global_key_value_heads "
        "num_kv_shared_layers per_layer_config top_k_experts use_bidirectional_attention "
        "use_double_wide_mlp vocab_size_per_layer_input",
    .harmless = "cache_implementation hidden_act",
    .tied = true,
    .rope = {.used = true, .theta = 1000000, .local = true, .proportional = 0.25},
    .windows = windowed::patterned,
    .window = 512,
    .pattern = 6,
    .more = read_gemma4,
    .tensors = {gemma3_prefix, "layers.", gemma4_outside, gemma4_block, llama_final_norm, llama_head,
                rotary_tables, "",
                "vision_tower. model.vision_tower. embed_vision. model.embed_vision. audio_tower. "
                "model.audio_tower. embed_audio. model.embed_audio."},
};

}  // namespace depthlens::families
