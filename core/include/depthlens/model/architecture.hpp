// SPDX-License-Identifier: Apache-2.0
// The numbers and parts that make a set of weights a model: sizes, kinds of norm, activation and block,
// rotary frequencies, windows, caps and scales. Read from config.json (hf_config.hpp) or GGUF metadata
// (gguf_config.hpp) and checked here. What the parts compute is written beside dlens_architecture in
// abi/backend.h.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "depthlens/base/error.hpp"
#include "depthlens/base/text.hpp"

namespace depthlens {

// The numbers of these are those of DLENS_ROPE_..., DLENS_NORM_..., DLENS_ACTIVATION_... and DLENS_BLOCK_....
// Which dimensions a rotary frequency turns: half (i, i + dims/2), as in most Hugging Face weights;
// interleaved (2i, 2i + 1), as in GPT-J and in GGUF llama weights, whose q and k rows are permuted for it.
enum class rope_kind { half = 1, interleaved = 2 };
enum class norm_kind { rms = 1, layer = 2 };
enum class activation_kind { silu = 1, gelu = 2, gelu_tanh = 3, relu = 4 };
enum class block_form { sequential = 1, parallel = 2 };

// What no model exceeds; where a file says more, or 0, its key is named.
struct size_limits {
  static constexpr std::uint32_t layers = 4096, width = 1u << 20, heads = 1u << 16, head_dim = 1u << 16,
                                 any = 1u << 24;  // of the others, and of all to a backend
};

struct architecture {
  std::string family;            // model_type or general.architecture: "llama", "gpt2", ...
  std::uint32_t n_layers = 0;    // blocks
  std::uint32_t d_model = 0;     // D
  std::uint32_t n_heads = 0;     // H
  std::uint32_t n_kv_heads = 0;  // divides n_heads
  std::uint32_t head_dim = 0;
  std::uint32_t d_ff = 0;        // F
  std::uint32_t vocab_size = 0;  // V: rows of the embedding, may be more than the tokenizer has ids
  std::uint32_t max_positions = 0;
  std::string positions_key;  // what keeps them below those of the file; else empty
  std::string positions_reason = "LongRoPE";
  std::vector<std::string> notes;  // what was assumed, for the user: one sentence each
  norm_kind norm = norm_kind::rms;
  activation_kind activation = activation_kind::silu;
  block_form form = block_form::sequential;
  double norm_eps = 0;
  double norm_offset = 0;  // added to the weights of norms
  double embed_scale = 1;
  double attention_scale = 0;    // 1 / sqrt(head_dim) in most families
  double attention_softcap = 0;  // 0 = none
  double final_softcap = 0;      // 0 = none
  bool tied = false;             // the unembedding is the embedding
  bool attention_bias = false;   // where it depends on the model
  bool mlp_bias = false;
  std::uint32_t position_offset = 0;  // of the rows of learned positions
  rope_kind rope = rope_kind::half;
  std::uint32_t rope_dims = 0;             // 0: no rotary positions
  std::vector<float> rope_inv_freq;        // (rope_dims / 2), any scaling applied
  std::vector<float> local_rope_inv_freq;  // the same for layers with a window; empty: as the others
  double rope_scale = 1;  // of rotated dimensions of q and k: YaRN's and LongRoPE's attention factor
  std::vector<std::uint32_t> window;  // (n_layers), 0 = sees all before it; empty: 0 everywhere
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

// Refuses numbers that no model has, before anything is multiplied by them. `label` is the file they came
// from.
inline void check_architecture(const architecture& a, std::string_view label) {
  const auto within = [&](const char* what, std::uint32_t value, std::uint32_t top) {
    if (value < 1 || value > top)
      fail(status::data, label, ": ", what, " is ", value, ", expected 1 to ", top);
  };
  within("the number of layers", a.n_layers, size_limits::layers);
  within("the model width", a.d_model, size_limits::width);
  within("the number of attention heads", a.n_heads, size_limits::heads);
  within("the number of key-value heads", a.n_kv_heads, a.n_heads);
  within("the head size", a.head_dim, size_limits::head_dim);
  within("the feed-forward width", a.d_ff, size_limits::any);
  within("the vocabulary size", a.vocab_size, size_limits::any);
  within("the number of positions", a.max_positions, size_limits::any);
  if (a.n_heads % a.n_kv_heads != 0) {
    fail(status::data, label, ": ", a.n_heads, " attention heads cannot share ", a.n_kv_heads,
         " key-value heads");
  }
  if (std::uint64_t{a.n_heads} * a.head_dim > size_limits::any) {
    fail(status::data, label, ": ", a.n_heads, " heads of size ", a.head_dim, " are too many");
  }
  if (!(a.norm_eps >= 0 && a.norm_eps < 1)) {
    fail(status::data, label, ": the norm epsilon is ", a.norm_eps, ", expected 0 to 1");
  }
  if (a.rope_dims % 2 != 0 || a.rope_dims > a.head_dim) {
    fail(status::data, label, ": ", a.rope_dims,
         " rotary dimensions, expected an even number up to the head size ", a.head_dim);
  }
  for (const std::vector<float>* table : {&a.rope_inv_freq, &a.local_rope_inv_freq}) {
    for (const float freq : *table) {
      if (!std::isfinite(freq) || freq < 0)
        fail(status::data, label, ": the rotary frequencies are not finite");
    }
  }
  const auto sane = [&](const char* what, double value, double least) {
    if (!(value >= least && value < 1e6))
      fail(status::data, label, ": ", what, " is ", value, ", which no model has");
  };
  sane("the attention scale", a.attention_scale, 1e-6);
  sane("the embedding scale", a.embed_scale, 1e-6);
  sane("the rope attention factor", a.rope_scale, 1e-6);
  sane("the attention soft cap", a.attention_softcap, 0);
  sane("the final soft cap", a.final_softcap, 0);
}

}  // namespace depthlens
