// SPDX-License-Identifier: Apache-2.0
// config.json of a Hugging Face model folder to an architecture, by the family's row in families/. Takes the
// old spelling (rope_theta, rope_scaling, torch_dtype) and the new one (rope_parameters, dtype); the rotary
// part is hf_rope.hpp, windows are hf_windows.hpp. A key that neither the row nor the table below has could
// change the numbers, so unless it is null, false or empty it is refused by name: wrong readings are worse
// than none.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "depthlens/base/checked.hpp"
#include "depthlens/base/error.hpp"
#include "depthlens/base/json.hpp"
#include "depthlens/base/text.hpp"
#include "depthlens/model/architecture.hpp"
#include "depthlens/model/check_architecture.hpp"
#include "depthlens/model/families/families.hpp"
#include "depthlens/model/hf_rope.hpp"
#include "depthlens/model/hf_windows.hpp"

namespace depthlens {

namespace detail {

// Keys about training, generation, tokens, storage or the library: not about what the weights
// compute.
inline bool is_harmless_config_key(std::string_view key) {
  return is_listed(
      "_attn_implementation _attn_implementation_autoset _commit_hash _flash_attn_2_enabled "
      "_model_name_or_path _name_or_path _num_labels architectures attention_dropout "
      "attention_probs_dropout_prob attn_implementation bad_words_ids begin_suppress_tokens "
      "bos_token bos_token_id chunk_size_feed_forward classifier_dropout cls_token_id "
      "custom_pipelines decoder_start_token_id diversity_penalty do_sample dtype early_stopping "
      "embd_pdrop encoder_no_repeat_ngram_size eos_token eos_token_id "
      "exponential_decay_length_penalty finetuning_task forced_bos_token_id forced_eos_token_id "
      "gradient_checkpointing hidden_dropout hidden_dropout_prob id2label initializer_range internal_version "
      "is_decoder is_encoder_decoder keys_to_ignore_at_inference label2id length_penalty loss_type "
      "mask_token_id max_length min_length model_max_length name_or_path no_repeat_ngram_size "
      "num_beam_groups num_beams num_labels num_logits_to_keep num_return_sequences "
      "output_attentions output_hidden_states output_past output_scores pad_token pad_token_id "
      "padding_side prefix pretraining_tp problem_type remove_invalid_values repetition_penalty "
      "resid_pdrop return_dict return_dict_in_generate sep_token_id suppress_tokens "
      "task_specific_params temperature tf_legacy_loss tokenizer_class tokenizer_padding_side "
      "top_k top_p torch_dtype torchscript transformers.js_config transformers_version typical_p "
      "unk_token_id unsloth_fixed unsloth_version use_bfloat16 use_cache use_flash_attention_2",
      key);
}

// Does this family's row read or discount `key`?
inline bool is_family_key(const model_family& f, std::string_view key) {
  for (const size_key* size : {&f.layers, &f.width, &f.heads, &f.kv_heads, &f.head_dim, &f.feed_forward,
                               &f.positions, &f.vocabulary}) {
    if (size->key != nullptr && key == size->key) return true;
  }
  for (const char* one : {f.eps_key, f.activation_key}) {
    if (one != nullptr && key == one) return true;
  }
  return is_listed("model_type tie_word_embeddings dual_chunk_attention_config", key) ||
         is_listed(f.keys, key) || is_listed(f.more_keys, key) || is_listed(f.harmless, key) ||
         is_listed(f.only_true, key) || is_rope_key(f.rope, key) || is_window_key(f, key);
}

// `known` says of a key whether it is read, or may be passed over.
template <class Known>
void refuse_unknown_config_keys(const json_view& root, const Known& known) {
  for (const auto& [key, value] : root.as_object()) {
    const std::string_view name(key.data(), key.size());
    const bool off = value.is_null() || (value.is_bool() && !value.get_bool()) ||
                     (value.is_object() && value.get_object().empty()) ||
                     (value.is_array() && value.get_array().empty());
    if (off || is_harmless_config_key(name) || known(name)) continue;
    refuse_config_key(root, name);
  }
}

inline void refuse_config_keys(const json_view& root, const model_family& family) {
  refuse_unknown_config_keys(root, [&](std::string_view key) { return is_family_key(family, key); });
  for (const auto& [key, value] : root.as_object()) {
    const std::string_view name(key.data(), key.size());
    if (!value.is_null() && is_listed(family.only_true, name)) {
      const json_view item = root.require(name);
      refuse_unless(item.as_bool(), item, "only true is");
    }
  }
}

// From 1 to `top`. `derived` is what the size is where the row says so.
inline std::uint32_t config_size(const json_view& root, const size_key& size, std::uint64_t derived,
                                 std::uint32_t top) {
  const auto number = size.key == nullptr ? std::nullopt : root.find(size.key);
  if (!number && size.otherwise == size_key::required) root.require(size.key);
  const std::uint64_t value = number                                ? number->as_u64()
                              : size.otherwise == size_key::derived ? derived
                                                                    : size.otherwise;
  if (number && (value < 1 || value > top))
    fail(status::data, number->place(), "is ", value, ", expected 1 to ", top);
  return checked_narrow<std::uint32_t>(value, [&] { return root.place(); });
}

// The number of positions. Where no table has a row for each, files may leave it out: the library that they
// are written for has a default, which is taken and told.
inline std::uint32_t config_positions(const json_view& root, const model_family& f, architecture& a) {
  const std::uint32_t n = config_size(root, f.positions, 0, size_limits::any);
  if (f.positions.key != nullptr && !root.find(f.positions.key))
    a.notes.push_back(cat(root.place(), f.positions.key, " is missing: prompts are read up to ", n,
                          " tokens, the default of ", f.name, " models"));
  return n;
}

// Dual chunk attention, of Qwen's models for a million tokens: prompts of one chunk are computed as without
// it, so that prompts are read up to there. A chunk's last local_size positions belong to the next one too.
inline void read_dual_chunks(const json_view& root, architecture& a) {
  const auto chunks = root.find("dual_chunk_attention_config");
  if (!chunks) return;
  const std::uint64_t chunk = chunks->require_u64("chunk_size");
  const std::uint64_t local = chunks->find_u64("local_size").value_or(0);
  for (const auto& [key, value] : chunks->as_object()) {
    const std::string_view name(key.data(), key.size());
    if (!value.is_null() && !is_listed("chunk_size local_size original_max_position_embeddings", name))
      refuse_config_key(*chunks, name);
  }
  if (chunk <= local)
    fail(status::data, chunks->place(), "chunk_size is ", chunk, ", expected more than local_size, ", local);
  if (chunk - local >= a.max_positions) return;
  a.max_positions = static_cast<std::uint32_t>(chunk - local);
  a.positions_key = "one chunk of dual_chunk_attention_config";
  a.positions_reason = "dual chunk attention";
  a.notes.push_back(cat(chunks->place(), "prompts are read up to one chunk, ", a.max_positions,
                        " tokens: so far dual chunk attention changes nothing"));
}

inline activation_kind read_activation(const json_view& root, const model_family& f) {
  const auto value = f.activation_key == nullptr ? std::nullopt : root.find(f.activation_key);
  const std::string_view name = value ? value->as_string() : f.activation;
  if (name == "silu" || name == "swish") return activation_kind::silu;
  if (name == "gelu") return activation_kind::gelu;
  if (name == "gelu_new" || name == "gelu_fast" || name == "gelu_pytorch_tanh")
    return activation_kind::gelu_tanh;
  if (name == "relu") return activation_kind::relu;
  refuse_unless(false, *value, "silu, gelu, gelu_new, gelu_fast, gelu_pytorch_tanh and relu are");
  return {};
}

// Sets the sizes of the whole model; returns a block as all are, so far.
inline block_part read_sizes(const json_view& root, const model_family& f, architecture& a) {
  using most = size_limits;
  block_part block;
  attention_part& t = block.attention.emplace();
  a.n_layers = config_size(root, f.layers, 0, most::layers);
  a.d_model = config_size(root, f.width, 0, most::width);
  a.embed_dim = a.d_model;
  t.n_heads = config_size(root, f.heads, 0, most::heads);
  t.n_kv_heads = config_size(root, f.kv_heads, t.n_heads, t.n_heads);
  const bool own_head_dim =
      f.head_dim.otherwise != size_key::derived || (f.head_dim.key != nullptr && root.find(f.head_dim.key));
  if (!own_head_dim && a.d_model % t.n_heads != 0) {
    fail(status::data, root.place(), f.heads.key, " is ", t.n_heads, ", which does not divide ", f.width.key,
         ", ", a.d_model);
  }
  t.head_dim = config_size(root, f.head_dim, own_head_dim ? 0 : a.d_model / t.n_heads, most::head_dim);
  t.value_dim = t.head_dim;
  t.scale = 1 / std::sqrt(static_cast<double>(std::max(t.head_dim, 1u)));
  block.d_ff = config_size(root, f.feed_forward, std::uint64_t{4} * a.d_model, most::any);
  a.vocab_size = config_size(root, f.vocabulary, 0, most::any);
  a.max_positions = config_positions(root, f, a);
  read_dual_chunks(root, a);
  block.form = f.form;
  block.activation = read_activation(root, f);
  return block;
}

// Weights that are stored otherwise than as numbers; MXFP4 is read where `mxfp4` says so.
inline void refuse_quantized(const json_view& root, bool mxfp4) {
  const auto given = root.find("quantization_config");
  if (!given) return;
  const std::string_view method = given->find_string("quant_method").value_or("");
  if (mxfp4 && method == "mxfp4") return;
  fail(status::data, root.place(), "key 'quantization_config' is not understood: quant_method is ",
       method.empty() ? "missing" : printable(method), ", and the weights must be plain",
       mxfp4 ? " or mxfp4" : "");
}

// Models that also see images hold their text model in text_config; what is said of its weights stands
// outside of it.
inline json_view text_part(const json_view& root) {
  if (!is_listed("gemma3 gemma4 qwen3_5 qwen3_5_moe", root.require_string("model_type"))) return root;
  refuse_quantized(root, false);
  static constexpr std::string_view known =
      "audio_config audio_token_id audio_token_index boa_token_id boa_token_index boi_token_id "
      "boi_token_index "
      "eoa_token_id eoa_token_index eoi_token_id eoi_token_index image_token_id image_token_index "
      "language_model_only mm_tokens_per_image model_type text_config tie_word_embeddings video_token_id "
      "vision_config vision_end_token_id vision_soft_tokens_per_image vision_start_token_id";
  refuse_unknown_config_keys(root, [](std::string_view key) { return is_listed(known, key); });
  const json_view text = root.require("text_config");
  const bool gemma = root.require_string("model_type").starts_with("gemma");
  if (!config_flag(root, "tie_word_embeddings", gemma) && config_flag(text, "tie_word_embeddings", gemma))
    fail(status::data, root.place(), "tie_word_embeddings is false here, but not in text_config");
  return text;
}

}  // namespace detail

// The architecture in a parsed config.json. Errors: status::data with file and key.
inline architecture architecture_from_config(const json_document& config) {
  const json_view root = detail::text_part(config.root());
  architecture a;
  a.family = std::string(root.require_string("model_type"));
  const model_family* const family = families::find(a.family);
  if (family == nullptr) {
    fail(status::data, root.place(), "model_type ", printable(a.family), " is not supported; supported are ",
         families::names());
  }
  detail::refuse_quantized(root, detail::is_listed(family->keys, "quantization_config"));
  detail::refuse_config_keys(root, *family);
  const block_part block = detail::read_sizes(root, *family, a);
  a.norm = family->norm;
  a.norm_offset = family->norm_offset;
  a.norm_eps = family->eps;
  if (family->eps_key != nullptr) a.norm_eps = root.find_double(family->eps_key).value_or(family->eps);
  a.tied = config_flag(root, "tie_word_embeddings", family->tied);
  a.attention_bias = config_flag(root, "attention_bias", family->attention_bias);
  a.mlp_bias = root.find_bool("mlp_bias").value_or(false);
  a.position_offset = family->position_offset;
  a.blocks.assign(a.n_layers, block);
  for (std::uint32_t i = 0; i < a.n_layers; ++i) a.blocks[i].attention->kv_layer = i;
  if (family->more != nullptr) family->more(root, a);
  check_architecture(a, root.label());
  const detail::layer_ropes ropes = detail::read_rope(root, family->rope, a);
  detail::set_ropes(root, family->rope, ropes, detail::read_windows(root, *family, a), a);
  if (family->finish != nullptr) family->finish(root, a);
  check_architecture(a, root.label());
  return a;
}

}  // namespace depthlens
