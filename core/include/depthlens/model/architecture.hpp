// SPDX-License-Identifier: Apache-2.0
// The numbers and parts that make a set of weights a model: sizes and scales, and for each block what it is
// made of. Read from config.json (hf_config.hpp) or GGUF metadata (gguf_config.hpp) and checked by
// check_architecture.hpp. What the parts compute is written in abi/architecture.h.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "depthlens/base/error.hpp"
#include "depthlens/base/text.hpp"
#include "depthlens/model/shared_numbers.hpp"

namespace depthlens {

// The numbers of these are those of DLENS_ROPE_... and so on in abi/architecture.h.
// Which dimensions a rotary frequency turns: half (i, i + dims/2), as in most Hugging Face weights;
// interleaved (2i, 2i + 1), as in GPT-J and in GGUF llama weights, whose q and k rows are permuted for it.
enum class rope_kind { half = 1, interleaved = 2 };
enum class norm_kind { rms = 1, layer = 2 };
enum class activation_kind { silu = 1, gelu = 2, gelu_tanh = 3, relu = 4, clamped = 5 };
enum class block_form { sequential = 1, parallel = 2, norm_after = 3 };
enum class alibi_kind { none = 0, exact = 1, rounded = 2 };
enum class router_kind { softmax = 1, sigmoid = 2, chosen_softmax = 3 };
enum class group_kind { none = 0, best = 1, best_two = 2 };

// What no model exceeds; where a file says more, or 0, its key is named.
struct size_limits {
  static constexpr std::uint32_t layers = 2048, width = 1u << 20, heads = 1u << 16, head_dim = 1u << 13,
                                 any = 1u << 24;  // of the others, and of all to a backend
};

// A block's attention; what its numbers mean is written beside dlens_attention.
struct attention_part {
  std::uint32_t n_heads = 0;     // H
  std::uint32_t n_kv_heads = 0;  // divides n_heads
  std::uint32_t head_dim = 0;    // of queries and keys
  std::uint32_t value_dim = 0;
  std::uint32_t window = 0;  // 0 = sees all before it
  rope_kind rope = rope_kind::half;
  std::uint32_t rope_dims = 0;  // 0: no rotary positions
  std::uint32_t rope_begin = 0;
  std::uint32_t kv_layer = 0;    // the block whose keys and values it takes
  bool values_are_keys = false;  // before norms and rotation: no W_v is stored
  std::uint32_t q_rank = 0, kv_rank = 0;
  alibi_kind alibi = alibi_kind::none;
  double scale = 0;       // 1 / sqrt(head_dim) in most families
  double softcap = 0;     // 0 = none
  double clip = 0;        // 0 = none
  double rope_scale = 1;  // of rotated dimensions of q and k: YaRN's and LongRoPE's attention factor
  double latent_norm_eps = 1e-6;
  shared_numbers rope_inv_freq;       // (rope_dims / 2), any scaling applied
  shared_numbers rope_long_inv_freq;  // of prompts of more than long_positions tokens, or empty
  shared_numbers alibi_slopes;        // (n_heads) or empty
};

struct delta_part {
  std::uint32_t n_key_heads = 0, n_value_heads = 0, key_dim = 0, value_dim = 0, conv_width = 0;
  // Where the file has fewer key heads: value head i goes with its key head i % stored_key_heads, and
  // n_key_heads counts them as often as they are taken.
  std::uint32_t stored_key_heads = 0;
};

struct expert_part {
  std::uint32_t n_experts = 0, n_used = 0;
  std::uint32_t d_ff = 0;      // of each
  std::uint32_t d_shared = 0;  // of the shared expert, 0 = none
  bool shared_router = false;  // decides how much of the shared expert is added
  bool corrected = false;      // what experts are ranked by is not their score alone
  router_kind router = router_kind::softmax;
  bool normalised = false;
  group_kind groups = group_kind::none;
  std::uint32_t n_groups = 0, groups_used = 0;
  double scale = 1;
};

struct block_part {
  block_form form = block_form::sequential;
  std::uint32_t d_ff = 0;  // F of the dense part, 0 = none
  activation_kind activation = activation_kind::silu;
  double activation_alpha = 1, activation_limit = 0;  // of the clamped one
  double residual_scale = 1, output_scale = 1;
  std::optional<attention_part> attention;  // one of these two
  std::optional<delta_part> delta;
  std::optional<expert_part> experts;
};

// What each block is told of a token besides h, see dlens_layer_inputs.
struct layer_input_part {
  std::uint32_t dim = 0, vocab_size = 0;
  double embed_scale = 1, projection_scale = 1, sum_scale = 1;
};

struct architecture {
  std::string family;            // model_type or general.architecture: "llama", "gpt2", ...
  std::uint32_t n_layers = 0;    // blocks
  std::uint32_t d_model = 0;     // D
  std::uint32_t embed_dim = 0;   // of the embedding; d_model but where there are projections
  std::uint32_t vocab_size = 0;  // V: rows of the embedding, may be more than the tokenizer has ids
  std::uint32_t max_positions = 0;
  std::uint32_t long_positions = 0;  // tokens of a prompt above which all of it is turned otherwise; 0 = none
  std::string positions_key;         // what keeps max_positions below those of the file, and
  std::string positions_reason;      // for what; else empty
  std::vector<std::string> notes;    // what was assumed, for the user: one sentence each
  norm_kind norm = norm_kind::rms;
  double norm_eps = 0;
  double norm_offset = 0;  // added to the weights of norms
  double embed_scale = 1;
  double final_softcap = 0;     // 0 = none
  double logit_scale = 1;       // of the model's logits, and so of every lens's: in the weights of final_norm
  bool tied = false;            // the unembedding is the embedding
  bool attention_bias = false;  // where it depends on the model
  bool mlp_bias = false;
  bool head_norms = false;
  bool final_norm = true;
  std::uint32_t position_offset = 0;  // of the rows of learned positions
  std::vector<block_part> blocks;     // (n_layers)
  std::optional<layer_input_part> layer_inputs;

  const attention_part* first_attention() const {
    for (const block_part& b : blocks)
      if (b.attention) return &*b.attention;
    return nullptr;
  }
  // fn(block_part&) for each block; fn(attention_part&) for each that has it.
  template <class Function>
  void each_block(const Function& fn) {
    for (block_part& b : blocks) fn(b);
  }
  template <class Function>
  void each_attention(const Function& fn) {
    for (block_part& b : blocks)
      if (b.attention) fn(*b.attention);
  }
};

namespace detail {

// Whether `key` is one of the words of a list that single spaces separate.
inline bool is_listed(std::string_view words, std::string_view key) noexcept {
  if (key.empty() || key.find(' ') != std::string_view::npos) return false;
  for (std::size_t at = words.find(key); at != std::string_view::npos; at = words.find(key, at + 1)) {
    const bool begins = at == 0 || words[at - 1] == ' ';
    const std::size_t end = at + key.size();
    if (begins && (end == words.size() || words[end] == ' ')) return true;
  }
  return false;
}

}  // namespace detail

// "the model takes N", and why it is not more, for errors about longer prompts.
inline std::string positions_text(const architecture& a) {
  std::string out = "the model takes " + std::to_string(a.max_positions);
  if (!a.positions_key.empty()) {
    out += ": with " + a.positions_reason + " prompts are read up to " + a.positions_key +
           ", beyond which the states of all tokens would be others";
  }
  return out;
}

}  // namespace depthlens
