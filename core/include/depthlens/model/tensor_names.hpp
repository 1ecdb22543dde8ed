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

enum class extent { one, head, width, query, key_value, feed_forward, vocabulary, positions };
// present: where the file has one.
enum class bias_of { nothing, always, attention, mlp, present };

// How a logical tensor lies in the stored one.
enum class fused_in {
  nothing,
  qkv,          // rows of q, then k, then v
  qkv_by_head,  // for each head its rows of q, k and v
  gate_up       // rows of gate, then up
};

struct tensor_rule {
  const char* canonical;
  const char* stored;  // without ".weight" or ".bias"
  extent rows;
  extent columns;  // one: a vector
  bias_of bias = bias_of::nothing;
  bool transposed = false;  // stored (columns, rows)
  fused_in fused = fused_in::nothing;
  std::uint32_t slot = 0;  // which part of the fused tensor
};

// Where a family keeps its tensors. Their names begin with the first of `prefixes` under which the embedding
// is found, but for the head's. `outside` holds embed, then position if there is one.
struct tensor_table {
  std::span<const std::string_view> prefixes;
  std::string_view blocks;  // before the block number
  std::span<const tensor_rule> outside;
  std::span<const tensor_rule> block;
  tensor_rule final_norm;
  tensor_rule head;
  // Endings of stored names that hold nothing the configuration does not say.
  std::string_view ignorable;
  std::string_view ignorable_starts = "";  // beginnings of such names
};

namespace detail {

inline std::uint64_t length_of(extent e, const architecture& a) {
  switch (e) {
    case extent::one:
      return 1;
    case extent::head:
      return a.head_dim;
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
    case extent::positions:
      return std::uint64_t{a.max_positions} + a.position_offset;
  }
  return 0;
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
inline bool starts_with_one_of(std::string_view name, std::string_view words) {
  while (!words.empty()) {
    const std::string_view word = words.substr(0, words.find(' '));
    if (name.starts_with(word)) return true;
    words.remove_prefix(std::min(words.size(), word.size() + 1));
  }
  return false;
}

inline std::string shape_text(std::span<const std::uint64_t> shape) {
  std::string out = "(";
  for (std::size_t i = 0; i < shape.size(); ++i) out += (i > 0 ? ", " : "") + std::to_string(shape[i]);
  return out + ")";
}

}  // namespace detail

}  // namespace depthlens
