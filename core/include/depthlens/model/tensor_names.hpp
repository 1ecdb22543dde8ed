// SPDX-License-Identifier: Apache-2.0
// The canonical names of a model's tensors, their names in each file format and their shapes:
//   embed (V, D)   final_norm (D)   unembed (V, D)
//   block.{i}.attn_norm (D)  .q (H hd, D)  .k .v (Hkv hd, D)  .o (D, H hd)
//   block.{i}.ffn_norm (D)  .gate .up (F, D)  .down (D, F)
//   block.{i}.q.bias (H hd) and so on, where the model has biases.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "depthlens/error.hpp"
#include "depthlens/model/architecture.hpp"

namespace depthlens {

enum class model_kind { gguf, folder };

namespace detail {

enum class extent { one, width, query, key_value, feed_forward, vocabulary };
enum class bias_of { nothing, attention, mlp };

struct tensor_rule {
  const char* canonical;
  const char* in_folder;  // without ".weight" or ".bias"
  const char* in_gguf;
  extent rows;
  extent columns;  // one: a vector
  bias_of bias = bias_of::nothing;
};

inline std::span<const tensor_rule> block_rules() {
  using enum extent;
  static constexpr tensor_rule rules[] = {
      {"attn_norm", "input_layernorm", "attn_norm", width, one},
      {"q", "self_attn.q_proj", "attn_q", query, width, bias_of::attention},
      {"k", "self_attn.k_proj", "attn_k", key_value, width, bias_of::attention},
      {"v", "self_attn.v_proj", "attn_v", key_value, width, bias_of::attention},
      {"o", "self_attn.o_proj", "attn_output", width, query, bias_of::attention},
      {"ffn_norm", "post_attention_layernorm", "ffn_norm", width, one},
      {"gate", "mlp.gate_proj", "ffn_gate", feed_forward, width, bias_of::mlp},
      {"up", "mlp.up_proj", "ffn_up", feed_forward, width, bias_of::mlp},
      {"down", "mlp.down_proj", "ffn_down", width, feed_forward, bias_of::mlp},
  };
  return rules;
}

inline constexpr tensor_rule embed_rule = {"embed", "model.embed_tokens", "token_embd", extent::vocabulary,
                                           extent::width};
inline constexpr tensor_rule final_norm_rule = {"final_norm", "model.norm", "output_norm", extent::width,
                                                extent::one};
inline constexpr tensor_rule unembed_rule = {"unembed", "lm_head", "output", extent::vocabulary,
                                             extent::width};

inline std::uint64_t length_of(extent e, const architecture& a) {
  switch (e) {
    case extent::one:
      return 1;
    case extent::width:
      return a.d_model;
    case extent::query:
      return std::uint64_t{a.n_heads} * a.head_dim;
    case extent::key_value:
      return std::uint64_t{a.n_kv_heads} * a.head_dim;
    case extent::feed_forward:
      return a.d_ff;
    case extent::vocabulary:
      return a.vocab_size;
  }
  return 0;
}

inline std::vector<std::uint64_t> weight_shape(const tensor_rule& rule, const architecture& a) {
  if (rule.columns == extent::one) return {length_of(rule.rows, a)};
  return {length_of(rule.rows, a), length_of(rule.columns, a)};
}

inline std::string stored_name(const tensor_rule& rule, model_kind kind, std::string_view suffix) {
  return cat(kind == model_kind::gguf ? rule.in_gguf : rule.in_folder, suffix);
}

inline std::string stored_name(const tensor_rule& rule, model_kind kind, std::uint32_t block,
                               std::string_view suffix) {
  return kind == model_kind::gguf ? cat("blk.", block, ".", rule.in_gguf, suffix)
                                  : cat("model.layers.", block, ".", rule.in_folder, suffix);
}

// Tensors that hold nothing the configuration does not say: rotary tables that old converters saved.
// rope_freqs is used up by the architecture.
inline bool is_ignorable(std::string_view name, model_kind kind) {
  if (kind == model_kind::folder) return name.ends_with(".rotary_emb.inv_freq");
  return name == "rope_freqs.weight" || name.ends_with(".attn_rot_embd.weight");
}

inline std::string shape_text(std::span<const std::uint64_t> shape) {
  std::string out = "(";
  for (std::size_t i = 0; i < shape.size(); ++i) out += (i > 0 ? ", " : "") + std::to_string(shape[i]);
  return out + ")";
}

}  // namespace detail

}  // namespace depthlens
