// SPDX-License-Identifier: Apache-2.0
// GGUF metadata to an architecture (general.architecture "llama", which Mistral, SmolLM and others are stored
// as). A llama.* key that is not in the table below could change the numbers, so unless it is zero, false or
// empty it is refused by name.
#pragma once

#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "depthlens/checked.hpp"
#include "depthlens/error.hpp"
#include "depthlens/model/architecture.hpp"
#include "depthlens/model/blocks.hpp"
#include "depthlens/model/gguf.hpp"
#include "depthlens/model/printable.hpp"

namespace depthlens {

namespace detail {

// Keys that are read below, and those that only describe the file or its training.
inline bool is_known_gguf_key(std::string_view key) {
  return is_listed(
      "attention.head_count attention.head_count_kv attention.key_length "
      "attention.layer_norm_rms_epsilon attention.value_length block_count context_length "
      "embedding_length feed_forward_length rope.dimension_count rope.freq_base rope.scale_linear "
      "rope.scaling.factor rope.scaling.finetuned rope.scaling.original_context_length "
      "rope.scaling.type tensor_data_layout vocab_size",
      key);
}

inline bool is_zero(const gguf_value& value) {
  if (const auto* u = std::get_if<std::uint64_t>(&value.data)) return *u == 0;
  if (const auto* i = std::get_if<std::int64_t>(&value.data)) return *i == 0;
  if (const auto* d = std::get_if<double>(&value.data)) return *d == 0;
  if (const auto* b = std::get_if<bool>(&value.data)) return !*b;
  if (const auto* s = std::get_if<std::string_view>(&value.data)) return s->empty();
  return std::get<gguf_array>(value.data).count == 0;
}

inline void refuse_unknown_gguf_keys(const gguf_file& file) {
  for (const gguf_entry& entry : file.entries()) {
    if (!entry.key.starts_with("llama.") || is_known_gguf_key(entry.key.substr(6))) continue;
    if (is_zero(entry.value)) continue;
    fail(status::data, file.path(), ": metadata key ", printable(entry.key),
         " is not understood and may change what the model computes");
  }
}

inline rope_scaling read_gguf_scaling(const gguf_file& file) {
  rope_scaling out;
  const std::string_view type = file.find_string("llama.rope.scaling.type").value_or("");
  double factor = file.find_float("llama.rope.scale_linear").value_or(1.0);
  if (type == "linear") {
    factor = file.require_float("llama.rope.scaling.factor");
  } else if (!type.empty() && type != "none") {
    fail(status::data, file.path(), ": rope scaling ", printable(type),
         " is not supported; none and linear are");
  }
  if (factor != 1.0 && factor != 0.0) out = {.type = rope_scaling::kind::linear, .factor = factor};
  return out;
}

// rope_freqs.weight holds one divisor per frequency: how GGUF stores Llama 3's stretching.
inline void apply_rope_factors(const gguf_file& file, architecture& a) {
  const gguf_tensor* factors = file.find_tensor("rope_freqs.weight");
  if (factors == nullptr) return;
  const tensor_view& view = factors->view;
  if (view.type != dtype::f32 || view.shape.size() != 1 || view.shape[0] != a.rope_dims / 2) {
    fail(status::data, file.path(), ": rope_freqs.weight must hold ", a.rope_dims / 2, " F32 values");
  }
  std::vector<float> divisor(a.rope_dims / 2);
  dequantize(dtype::f32, view.data, divisor.size(), divisor.data());
  for (std::size_t i = 0; i < divisor.size(); ++i) {
    if (!(divisor[i] > 0) || !std::isfinite(divisor[i])) {
      fail(status::data, file.path(), ": rope_freqs.weight: value ", i, " is ", divisor[i],
           ", expected more than 0");
    }
    a.rope_inv_freq[i] /= divisor[i];
  }
}

inline std::uint32_t embedding_rows(const gguf_file& file) {
  const gguf_tensor* embed = file.find_tensor("token_embd.weight");
  if (embed == nullptr)
    fail(status::data, file.path(), ": tensor 'token_embd.weight' is missing: no model weights");
  if (embed->view.shape.size() != 2)
    fail(status::data, file.path(), ": token_embd.weight must have 2 dimensions");
  return checked_narrow<std::uint32_t>(embed->view.shape[0],
                                       [&] { return file.path() + ": token_embd.weight"; });
}

}  // namespace detail

// The architecture of a GGUF file that holds a model. Errors: status::data with file and key.
inline architecture architecture_from_gguf(const gguf_file& file) {
  architecture a;
  a.family = std::string(file.require_string("general.architecture"));
  if (a.family != "llama") {
    fail(status::data, file.path(), ": architecture ", printable(a.family),
         " is not supported; supported is llama");
  }
  if (file.find_u32("split.count").value_or(1) > 1) {
    fail(status::data, file.path(),
         ": is one part of a split model; merge the parts with llama-gguf-split --merge");
  }
  detail::refuse_unknown_gguf_keys(file);
  a.n_layers = file.require_u32("llama.block_count");
  a.d_model = file.require_u32("llama.embedding_length");
  a.n_heads = file.require_u32("llama.attention.head_count");
  a.n_kv_heads = file.find_u32("llama.attention.head_count_kv").value_or(a.n_heads);
  const auto head_dim = file.find_u32("llama.attention.key_length");
  if (!head_dim && (a.n_heads == 0 || a.d_model % a.n_heads != 0)) {
    fail(status::data, file.path(), ": ", a.n_heads, " attention heads do not divide the width ", a.d_model);
  }
  a.head_dim = head_dim ? *head_dim : a.d_model / a.n_heads;
  if (file.find_u32("llama.attention.value_length").value_or(a.head_dim) != a.head_dim) {
    fail(status::data, file.path(), ": values and keys of different head sizes are not supported");
  }
  a.d_ff = file.require_u32("llama.feed_forward_length");
  a.max_positions = file.require_u32("llama.context_length");
  a.norm_eps = file.require_float("llama.attention.layer_norm_rms_epsilon");
  a.vocab_size = detail::embedding_rows(file);
  a.tied = file.find_tensor("output.weight") == nullptr;
  a.attention_bias = file.find_tensor("blk.0.attn_q.bias") != nullptr;
  a.mlp_bias = file.find_tensor("blk.0.ffn_gate.bias") != nullptr;
  a.rope = rope_kind::interleaved;
  a.rope_dims = file.find_u32("llama.rope.dimension_count").value_or(a.head_dim);
  a.attention_scale = 1 / std::sqrt(static_cast<double>(a.head_dim));
  if (a.rope_dims != a.head_dim) {
    fail(status::data, file.path(), ": llama.rope.dimension_count is ", a.rope_dims,
         ", expected the head size ", a.head_dim);
  }
  check_architecture(a, file.path());
  const double theta = file.find_float("llama.rope.freq_base").value_or(10000.0);
  const rope_scaling scaling = detail::read_gguf_scaling(file);
  check_rope(theta, scaling, file.path());
  a.rope_inv_freq = rope_frequencies(a.rope_dims, theta, scaling);
  detail::apply_rope_factors(file, a);
  check_architecture(a, file.path());
  return a;
}

}  // namespace depthlens
