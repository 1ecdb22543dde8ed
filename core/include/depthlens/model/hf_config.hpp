// SPDX-License-Identifier: Apache-2.0
// config.json of a Hugging Face model folder to an architecture. Takes the old spelling (rope_theta,
// rope_scaling, torch_dtype) and the new one (rope_parameters, dtype). A key that is not in the tables below
// could change the numbers, so unless it is null or false it is refused by name: wrong readings are worse
// than none.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "depthlens/checked.hpp"
#include "depthlens/error.hpp"
#include "depthlens/json.hpp"
#include "depthlens/model/architecture.hpp"
#include "depthlens/model/printable.hpp"

namespace depthlens {

namespace detail {

// Keys that are read below.
inline bool is_read_config_key(std::string_view key) {
  return is_listed(
      "attention_bias head_dim hidden_act hidden_size intermediate_size layer_types "
      "max_position_embeddings mlp_bias model_type num_attention_heads num_hidden_layers "
      "num_key_value_heads partial_rotary_factor rms_norm_eps rope_parameters rope_scaling rope_theta "
      "sliding_window tie_word_embeddings vocab_size",
      key);
}

// Keys about training, generation, tokens, storage or the library: not about what the weights
// compute.
inline bool is_harmless_config_key(std::string_view key) {
  return is_listed(
      "_attn_implementation _attn_implementation_autoset _commit_hash _name_or_path architectures "
      "attention_dropout attn_implementation bad_words_ids begin_suppress_tokens bos_token_id "
      "chunk_size_feed_forward decoder_start_token_id diversity_penalty do_sample dtype early_stopping "
      "encoder_no_repeat_ngram_size eos_token_id exponential_decay_length_penalty finetuning_task "
      "forced_bos_token_id forced_eos_token_id id2label initializer_range is_llama_config label2id "
      "length_penalty max_length max_sequence_length min_length name_or_path no_repeat_ngram_size "
      "num_beam_groups num_beams num_return_sequences output_attentions output_hidden_states "
      "output_scores pad_token_id prefix pretraining_tp problem_type pruned_heads remove_invalid_values "
      "repetition_penalty return_dict return_dict_in_generate sep_token_id suppress_tokens "
      "task_specific_params temperature tokenizer_class top_k top_p torch_dtype torchscript "
      "transformers.js_config transformers_version typical_p unk_token_id unsloth_fixed unsloth_version "
      "use_bfloat16 use_cache",
      key);
}

inline std::uint32_t config_u32(const json_view& number) {
  return checked_narrow<std::uint32_t>(number.as_u64(), [&] { return number.place() + "value"; });
}

inline std::uint32_t config_u32(const json_view& root, std::string_view key, std::uint32_t otherwise) {
  const auto number = root.find(key);
  return number ? config_u32(*number) : otherwise;
}

inline void refuse_unless(bool good, const json_view& value, const char* why) {
  if (!good)
    fail(status::data, value.place(), boost::json::serialize(value.value()), " is not supported: ", why);
}

// {"rope_type" or "type", "factor", ...}; theta is set where the object holds it.
inline rope_scaling read_rope_object(const json_view& rope, double& theta) {
  static constexpr std::string_view known =
      "rope_theta rope_type type factor low_freq_factor high_freq_factor original_max_position_embeddings "
      "partial_rotary_factor";
  for (const auto& [key, value] : rope.as_object()) {
    if (is_listed(known, {key.data(), key.size()})) continue;
    if (value.is_null() || (value.is_bool() && !value.get_bool())) continue;
    fail(status::data, rope.place(), "key ", printable({key.data(), key.size()}), " is not understood");
  }
  if (const auto value = rope.find_double("rope_theta")) theta = *value;
  if (const auto part = rope.find("partial_rotary_factor")) {
    refuse_unless(part->as_double() == 1.0, *part, "all of a head is rotated in this family");
  }
  rope_scaling out;
  const auto kind = rope.find("rope_type") ? rope.find("rope_type") : rope.find("type");
  const std::string_view name = kind ? kind->as_string() : "default";
  if (name == "default") return out;
  out.factor = rope.require_double("factor");
  if (name == "linear") {
    out.type = rope_scaling::kind::linear;
  } else if (name == "llama3") {
    out.type = rope_scaling::kind::llama3;
    out.low_freq_factor = rope.require_double("low_freq_factor");
    out.high_freq_factor = rope.require_double("high_freq_factor");
    out.original_positions = rope.require_double("original_max_position_embeddings");
  } else {
    refuse_unless(false, *kind, "the rope types are default, linear and llama3");
  }
  return out;
}

inline void read_rope(const json_view& root, architecture& a) {
  double theta = root.find_double("rope_theta").value_or(10000.0);
  const auto parameters = root.find("rope_parameters");
  const auto scaling = root.find("rope_scaling");
  if (parameters && scaling && parameters->value() != scaling->value()) {
    fail(status::data, scaling->place(), "differs from rope_parameters: keep one of them");
  }
  rope_scaling scale;
  if (parameters || scaling) scale = read_rope_object(parameters ? *parameters : *scaling, theta);
  if (const auto old = root.find_double("rope_theta"); old && *old != theta) {
    fail(status::data, root.place(), "rope_theta is ", *old, " here and ", theta, " in rope_parameters");
  }
  if (const auto part = root.find("partial_rotary_factor")) {
    refuse_unless(part->as_double() == 1.0, *part, "all of a head is rotated in this family");
  }
  check_rope(theta, scale, root.label());
  a.rope_dims = a.head_dim;
  a.rope_inv_freq = rope_frequencies(a.rope_dims, theta, scale);
}

inline void refuse_unknown_config_keys(const json_view& root) {
  for (const auto& [key, value] : root.as_object()) {
    const std::string_view name(key.data(), key.size());
    const bool off = value.is_null() || (value.is_bool() && !value.get_bool());
    if (off || is_read_config_key(name) || is_harmless_config_key(name)) continue;
    fail(status::data, root.place(), "key ", printable(name),
         " is not understood and may change what the model computes; remove it if it does not");
  }
}

// Every token must see all earlier ones: a window or a mixture of layer types is refused.
inline void check_full_attention(const json_view& root, const architecture& a) {
  // Mistral's default, where the key is absent, is a window of 4096; null says that there is none.
  if (a.family == "mistral" && !root.as_object().contains("sliding_window") && a.max_positions > 4096) {
    fail(status::data, root.place(),
         "\"sliding_window\" is missing, which means 4096: windows are not supported");
  }
  if (const auto window = root.find("sliding_window")) {
    refuse_unless(window->as_u64() >= a.max_positions, *window, "attention windows are not supported");
  }
  if (const auto types = root.find("layer_types")) {
    for (std::size_t i = 0; i < types->as_array().size(); ++i) {
      const json_view type = types->at(i);
      refuse_unless(type.as_string() == "full_attention", type, "only full_attention is");
    }
  }
}

}  // namespace detail

// The architecture in a parsed config.json. Errors: status::data with file and key.
inline architecture architecture_from_config(const json_document& config) {
  const json_view root = config.root();
  architecture a;
  a.family = std::string(root.require_string("model_type"));
  if (a.family != "llama" && a.family != "mistral") {
    fail(status::data, root.place(), "model_type ", printable(a.family),
         " is not supported; supported are llama and mistral");
  }
  detail::refuse_unknown_config_keys(root);
  a.n_layers = detail::config_u32(root.require("num_hidden_layers"));
  a.d_model = detail::config_u32(root.require("hidden_size"));
  a.n_heads = detail::config_u32(root.require("num_attention_heads"));
  const bool is_llama =
      a.family == "llama";  // the only one whose defaults for these two are used in the wild
  a.n_kv_heads = is_llama ? detail::config_u32(root, "num_key_value_heads", a.n_heads)
                          : detail::config_u32(root.require("num_key_value_heads"));
  if (!root.find("head_dim") && (a.n_heads == 0 || a.d_model % a.n_heads != 0)) {
    fail(status::data, root.place(), a.n_heads, " attention heads do not divide the width ", a.d_model);
  }
  a.head_dim = root.find("head_dim") ? detail::config_u32(root, "head_dim", 0) : a.d_model / a.n_heads;
  a.d_ff = detail::config_u32(root.require("intermediate_size"));
  a.vocab_size = detail::config_u32(root.require("vocab_size"));
  a.max_positions = is_llama ? detail::config_u32(root, "max_position_embeddings", 2048)
                             : detail::config_u32(root.require("max_position_embeddings"));
  a.norm_eps = root.find_double("rms_norm_eps").value_or(1e-6);
  a.tied = root.find_bool("tie_word_embeddings").value_or(false);
  a.attention_bias = root.find_bool("attention_bias").value_or(false);
  a.mlp_bias = root.find_bool("mlp_bias").value_or(false);
  a.rope = rope_kind::half;
  a.rope_dims = a.head_dim;
  check_architecture(a, root.label());
  detail::read_rope(root, a);
  detail::check_full_attention(root, a);
  if (const auto act = root.find("hidden_act")) {
    detail::refuse_unless(act->as_string() == "silu" || act->as_string() == "swish", *act, "only silu is");
  }
  check_architecture(a, root.label());
  return a;
}

}  // namespace depthlens
