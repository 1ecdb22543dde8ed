// SPDX-License-Identifier: Apache-2.0
// The words in which a family's table (families/) says under which names and in which layout its files store
// the tensors of a model, whose canonical names and logical shapes stand in abi/names.h.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "depthlens/base/error.hpp"
#include "depthlens/model/architecture.hpp"

namespace depthlens {

enum class model_kind { gguf, folder };

// Lengths, with the letters of abi/names.h.
enum class extent {
  one,
  width,      // D
  embedding,  // embed_dim
  vocabulary,
  positions,
  head,       // hd
  heads,      // H
  query,      // H hd
  kv_heads,   // Hkv
  key_value,  // Hkv hd
  value,      // vd
  mixed,      // what W_o takes: H vd, or Hv vd of a delta rule
  q_rank,
  q_input,  // what W_q takes: D or q_rank
  kv_rank,
  rotated,      // rope_dims
  latent_keys,  // H (hd - rope_dims)
  feed_forward,
  experts,
  expert_feed_forward,
  shared_feed_forward,
  delta_keys,        // Hk kd
  delta_values,      // Hv vd
  delta_heads,       // Hv
  delta_value_head,  // vd
  delta_channels,
  conv_width,
  layer_input,       // P
  layer_inputs,      // n_layers P
  layer_vocabulary,  // of layer inputs
};

// present: where the file has one.
enum class bias_of { nothing, always, attention, mlp, present };

// How a logical tensor lies in the stored one.
enum class fused_in {
  nothing,
  qkv,             // rows of q, then k, then v
  qkv_by_group,    // for each key-value head its group of q, then its k and v
  query_gate,      // for each head its q, then its gate
  latent_kv,       // for each head its own part of k, then its v
  kv_down_rope,    // rows of kv_down, then k_rope
  delta_qkv,       // rows of q, then k, then v of a delta rule
  gate_up,         // rows of gate, then up
  gate_up_pairs,   // rows of gate and up in turn
  delta_ba,        // for each key head beta of its value heads, then their step
  by_head,         // (H, rows / H, columns)
  by_head_turned,  // (H, columns, rows / H)
};

// In which blocks a rule holds.
enum class only_in {
  any,
  projected,    // outside of blocks: embeddings of another width than the model's
  attention,    // with attention of any kind
  own_kv,       // attention that takes no keys and values of another block
  own_v,        // the same, but not where values are the keys
  v_of_k,       // where values are the keys, before norms and rotation
  head_norms,   // attention, in models with norms of heads
  low_rank_q,   // q_rank is not 0
  full_rank_q,  // it is
  delta,
  dense,
  experts,
  corrected_router,
  shared_expert,
  shared_router,
  layer_inputs,
};

// What becomes of the stored numbers; where it is not as_stored, they are copied.
enum class made {
  as_stored,
  ones,          // no tensor is stored: a norm without weights
  stacked,       // one tensor for each row, '#' in the name
  minus_exp,     // -exp of it
  root_scaled,   // divided by the root of D
  repeated,      // rows of the key heads that are stored, as often as they are taken
  output_scale,  // of its block, not a tensor
};

struct tensor_rule {
  // '#' stands for the number of an expert in both. Stored without '#', tensors of all experts are one, whose
  // first dimension counts them.
  const char* canonical;
  const char* stored;  // without ".weight" or ".bias"; beginning with '=', all of the name
  extent rows;
  extent columns;  // one: a vector
  bias_of bias = bias_of::nothing;
  bool transposed = false;  // stored (columns, rows); but as blocks of MXFP4 in pairs never
  fused_in fused = fused_in::nothing;
  std::uint32_t slot = 0;  // which part of the fused tensor
  only_in only = only_in::any;
  made make = made::as_stored;
  // Names like `stored`, '#' being 0: the rule holds in blocks with such a tensor, or without any of those
  // that single spaces separate.
  const char* with = nullptr;
  const char* without = nullptr;
};

// Where a family keeps its tensors. Their names begin with the first of `prefixes` under which the embedding
// is found, but for the head's. `outside` holds embed, then others if there are any.
struct tensor_table {
  std::span<const std::string_view> prefixes;
  std::string_view blocks;  // before the block number
  std::span<const tensor_rule> outside;
  std::span<const tensor_rule> block;
  tensor_rule final_norm;  // canonical null: none
  tensor_rule head;
  // Endings of stored names that hold nothing the configuration does not say.
  std::string_view ignorable;
  std::string_view ignorable_starts = "";  // beginnings of such names
  // Beginnings of names of what is left out and told: what is not read of the model, as images or the
  // prediction of further tokens. "@" stands for the block behind the last one.
  std::string_view left_out = "";
};

namespace detail {

inline std::uint64_t attention_length(extent e, const architecture& a, const attention_part& t) {
  const std::uint64_t heads = t.n_heads;
  switch (e) {
    case extent::head:
      return t.head_dim;
    case extent::heads:
      return heads;
    case extent::query:
      return heads * t.head_dim;
    case extent::kv_heads:
      return t.n_kv_heads;
    case extent::key_value:
      return std::uint64_t{t.n_kv_heads} * t.head_dim;
    case extent::value:
      return t.value_dim;
    case extent::mixed:
      return heads * t.value_dim;
    case extent::q_rank:
      return t.q_rank;
    case extent::q_input:
      return t.q_rank > 0 ? t.q_rank : a.d_model;
    case extent::kv_rank:
      return t.kv_rank;
    case extent::rotated:
      return t.rope_dims;
    case extent::latent_keys:
      return heads * (t.head_dim - t.rope_dims);
    default:
      return 0;
  }
}

inline std::uint64_t delta_length(extent e, const delta_part& d) {
  const std::uint64_t keys = std::uint64_t{d.n_key_heads} * d.key_dim;
  const std::uint64_t values = std::uint64_t{d.n_value_heads} * d.value_dim;
  switch (e) {
    case extent::delta_keys:
      return keys;
    case extent::delta_values:
    case extent::mixed:
      return values;
    case extent::delta_heads:
      return d.n_value_heads;
    case extent::delta_value_head:
      return d.value_dim;
    case extent::delta_channels:
      return 2 * keys + values;
    case extent::conv_width:
      return d.conv_width;
    default:
      return 0;
  }
}

// Of what the block has.
inline std::uint64_t block_length(extent e, const architecture& a, const block_part& b) {
  if (e == extent::feed_forward) return b.d_ff;
  if (b.experts && e == extent::experts) return b.experts->n_experts;
  if (b.experts && e == extent::expert_feed_forward) return b.experts->d_ff;
  if (b.experts && e == extent::shared_feed_forward) return b.experts->d_shared;
  return b.attention ? attention_length(e, a, *b.attention) : b.delta ? delta_length(e, *b.delta) : 0;
}

inline std::uint64_t length_of(extent e, const architecture& a, const block_part& b) {
  const layer_input_part inputs = a.layer_inputs.value_or(layer_input_part{});
  switch (e) {
    case extent::one:
      return 1;
    case extent::width:
      return a.d_model;
    case extent::embedding:
      return a.embed_dim;
    case extent::vocabulary:
      return a.vocab_size;
    case extent::positions:
      return std::uint64_t{a.max_positions} + a.position_offset;
    case extent::layer_input:
      return inputs.dim;
    case extent::layer_inputs:
      return std::uint64_t{a.n_layers} * inputs.dim;
    case extent::layer_vocabulary:
      return inputs.vocab_size;
    default:
      return block_length(e, a, b);
  }
}

inline bool holds_in(only_in where, const architecture& a, const block_part& b, std::uint32_t layer) {
  const bool attention = b.attention.has_value(), own = attention && b.attention->kv_layer == layer;
  switch (where) {
    case only_in::any:
      return true;
    case only_in::projected:
      return a.embed_dim != a.d_model;
    case only_in::attention:
      return attention;
    case only_in::own_kv:
      return own;
    case only_in::own_v:
      return own && !b.attention->values_are_keys;
    case only_in::v_of_k:
      return own && b.attention->values_are_keys;
    case only_in::head_norms:
      return attention && a.head_norms;
    case only_in::low_rank_q:
      return attention && b.attention->q_rank > 0;
    case only_in::full_rank_q:
      return attention && b.attention->q_rank == 0;
    case only_in::delta:
      return b.delta.has_value();
    case only_in::dense:
      return b.d_ff > 0;
    case only_in::experts:
      return b.experts.has_value();
    case only_in::corrected_router:
      return b.experts && b.experts->corrected;
    case only_in::shared_expert:
      return b.experts && b.experts->d_shared > 0;
    case only_in::shared_router:
      return b.experts && b.experts->shared_router;
    case only_in::layer_inputs:
      return a.layer_inputs.has_value();
  }
  return false;
}

// Does `name` end with one of the words of a list that single spaces separate?
inline bool ends_with_one_of(std::string_view name, std::string_view words) {
  while (!words.empty()) {
    const std::string_view word = words.substr(0, words.find(' '));
    if (name.ends_with(word)) return true;
    words.remove_prefix(std::min(words.size(), word.size() + 1));
  }
  return false;
}
// The word that it begins with; empty where there is none.
inline std::string_view start_of(std::string_view name, std::string_view words) {
  while (!words.empty()) {
    const std::string_view word = words.substr(0, words.find(' '));
    if (name.starts_with(word)) return word;
    words.remove_prefix(std::min(words.size(), word.size() + 1));
  }
  return "";
}

inline std::string shape_text(std::span<const std::uint64_t> shape) {
  std::string out = "(";
  for (std::size_t i = 0; i < shape.size(); ++i) out += (i > 0 ? ", " : "") + std::to_string(shape[i]);
  return out + ")";
}

}  // namespace detail

}  // namespace depthlens
