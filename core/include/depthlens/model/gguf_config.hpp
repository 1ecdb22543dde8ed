// SPDX-License-Identifier: Apache-2.0
// GGUF metadata to an architecture, by the family's row in families/gguf_families.hpp; the rotary part is
// gguf_rope.hpp. A key of the family that neither the row nor the table below has could change the numbers,
// so unless it is zero, false or empty it is refused by name.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "depthlens/base/checked.hpp"
#include "depthlens/base/error.hpp"
#include "depthlens/base/text.hpp"
#include "depthlens/files/gguf.hpp"
#include "depthlens/model/architecture.hpp"
#include "depthlens/model/check_architecture.hpp"
#include "depthlens/model/families/gguf_families.hpp"
#include "depthlens/model/gguf_rope.hpp"
#include "depthlens/model/gguf_sizes.hpp"

namespace depthlens {

namespace detail {

// Is the key, without the family's name, read, or does it only describe the file or its training?
inline bool is_known_gguf_key(const gguf_family& f, std::string_view key) {
  static constexpr std::string_view any =
      "attention.causal attention.head_count attention.head_count_kv attention.key_length "
      "attention.sliding_window attention.value_length block_count context_length embedding_length "
      "feed_forward_length tensor_data_layout vocab_size";
  static constexpr std::string_view rotary =
      "rope.dimension_count rope.freq_base rope.scale_linear rope.scaling.attn_factor rope.scaling.factor "
      "rope.scaling.finetuned rope.scaling.original_context_length rope.scaling.type "
      "rope.scaling.yarn_attn_factor rope.scaling.yarn_ext_factor "
      "rope.scaling.yarn_beta_fast rope.scaling.yarn_beta_slow";
  const char* const epsilon =
      f.norm == norm_kind::rms ? "attention.layer_norm_rms_epsilon" : "attention.layer_norm_epsilon";
  const bool pattern = f.windows == windowed::patterned && key == "attention.sliding_window_pattern";
  return is_listed(any, key) || (f.rotary && is_listed(rotary, key)) || is_listed(f.keys, key) ||
         key == epsilon || pattern;
}

inline bool is_zero(const gguf_value& value) {
  if (const auto* u = std::get_if<std::uint64_t>(&value.data)) return *u == 0;
  if (const auto* i = std::get_if<std::int64_t>(&value.data)) return *i == 0;
  if (const auto* d = std::get_if<double>(&value.data)) return *d == 0;
  if (const auto* b = std::get_if<bool>(&value.data)) return !*b;
  if (const auto* s = std::get_if<std::string_view>(&value.data)) return s->empty();
  return std::get<gguf_array>(value.data).count == 0;
}

inline void refuse_unknown_gguf_keys(const gguf_file& file, const gguf_family& f) {
  const std::string prefix = std::string(f.name) + ".";
  for (const gguf_entry& entry : file.entries()) {
    if (!entry.key.starts_with(prefix) || is_known_gguf_key(f, entry.key.substr(prefix.size()))) continue;
    if (is_zero(entry.value)) continue;
    fail(status::data, file.path(), ": metadata key ", printable(entry.key),
         " is not understood and may change what the model computes; if it does not, --ignore-config ",
         visible_line(entry.key), " passes over it");
  }
  if (!file.find_bool(prefix + "attention.causal").value_or(true)) {
    fail(status::data, file.path(), ": ", prefix,
         "attention.causal is false: only causal models are supported");
  }
}

// Only the first part of a model that is split into several files holds the metadata, none all weights.
inline void refuse_split_gguf(const gguf_file& file) {
  const std::uint64_t parts = file.find_u64("split.count").value_or(1);
  if (parts < 2) return;
  fail(status::data, file.path(), ": is part ", file.find_u64("split.no").value_or(0) + 1, " of ", parts,
       " of a split model; make one file of them: llama-gguf-split --merge FIRST-PART.gguf WHOLE.gguf");
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

// One for all blocks; of a list, where the family may have one, that of the first.
inline std::uint32_t gguf_block_size(const gguf_file& file, const gguf_family& f, const std::string& key,
                                     std::uint32_t top, std::uint32_t n_layers,
                                     std::optional<std::uint32_t> otherwise = {}) {
  if (!f.lists) return gguf_size(file, key, top, otherwise);
  const std::vector<std::uint32_t> each = gguf_by_layer(file, key, n_layers);
  if (each.empty()) return otherwise ? *otherwise : file.require_u32(key);
  for (const std::uint32_t n : each)
    if (n < 1 || n > top) fail(status::data, file.path(), ": ", key, " is ", n, ", expected 1 to ", top);
  return each[0];
}

// Blocks, but for those behind that predict further tokens.
inline std::uint32_t gguf_layers(const gguf_file& file, const gguf_family& f, const std::string& prefix) {
  const std::uint32_t all = gguf_size(file, prefix + "block_count", size_limits::layers);
  if (!is_listed(f.keys, "nextn_predict_layers")) return all;
  const std::uint32_t further = file.find_u32(prefix + "nextn_predict_layers").value_or(0);
  if (further >= all)
    fail(status::data, file.path(), ": ", prefix, "nextn_predict_layers is ", further, " of ", all,
         " blocks");
  return all - further;
}

// Sets the sizes of the whole model; returns a block as all are, so far.
inline block_part read_gguf_sizes(const gguf_file& file, const gguf_family& f, architecture& a) {
  using most = size_limits;
  const std::string prefix = std::string(f.name) + ".";
  block_part block;
  attention_part& t = block.attention.emplace();
  a.n_layers = gguf_layers(file, f, prefix);
  a.d_model = gguf_size(file, prefix + "embedding_length", most::width);
  a.embed_dim = a.d_model;
  t.n_heads = gguf_size(file, prefix + "attention.head_count", most::heads);
  t.n_kv_heads =
      gguf_block_size(file, f, prefix + "attention.head_count_kv", t.n_heads, a.n_layers, t.n_heads);
  if (file.find(prefix + "attention.key_length") == nullptr && a.d_model % t.n_heads != 0) {
    fail(status::data, file.path(), ": ", prefix, "attention.head_count is ", t.n_heads,
         ", which does not divide ", prefix, "embedding_length, ", a.d_model);
  }
  t.head_dim = gguf_size(file, prefix + "attention.key_length", most::head_dim, a.d_model / t.n_heads);
  t.value_dim = t.head_dim;
  if (!f.latent && file.find_u32(prefix + "attention.value_length").value_or(t.head_dim) != t.head_dim) {
    fail(status::data, file.path(), ": values and keys of different head sizes are not supported");
  }
  t.scale = 1 / std::sqrt(static_cast<double>(std::max(t.head_dim, 1u)));
  block.form = f.form;
  block.activation = f.activation;
  const std::string dense = prefix + "feed_forward_length";
  if (!f.may_be_sparse || file.find(dense) != nullptr)
    block.d_ff = gguf_block_size(file, f, dense, most::any, a.n_layers);
  a.max_positions = gguf_size(file, prefix + "context_length", most::any);
  a.norm = f.norm;
  a.norm_eps = file.require_float(prefix + (f.norm == norm_kind::rms ? "attention.layer_norm_rms_epsilon"
                                                                     : "attention.layer_norm_epsilon"));
  a.vocab_size = embedding_rows(file);
  a.tied = file.find_tensor("output.weight") == nullptr;
  return block;
}

// Has each layer a window? attention.sliding_window_pattern is the period, or a list of all layers.
inline std::vector<bool> gguf_windowed_layers(const gguf_file& file, const gguf_family& f,
                                              const architecture& a) {
  std::vector<bool> out(a.n_layers, true);
  if (f.windows != windowed::patterned) return out;
  const std::string key = std::string(f.name) + ".attention.sliding_window_pattern";
  const gguf_value* const given = file.find(key);
  if (given != nullptr && std::holds_alternative<gguf_array>(given->data)) {
    out = *file.find_bools(key);
    if (out.size() == a.n_layers) return out;
    fail(status::data, file.path(), ": ", key, " has ", out.size(), " layers, expected ", a.n_layers);
  }
  const std::uint32_t period = file.find_u32(key).value_or(f.pattern);
  for (std::size_t i = 0; period > 0 && i < out.size(); ++i) out[i] = (i + 1) % period != 0;
  return out;
}

// Sets the windows of blocks. One that spans all positions is none, but for which frequencies a layer has.
inline void read_gguf_windows(const gguf_file& file, const gguf_family& f, architecture& a) {
  const std::string key = std::string(f.name) + ".attention.sliding_window";
  const std::uint32_t usual = f.window == nullptr ? 0 : f.window(a);
  const std::uint32_t window = std::min(file.find_u32(key).value_or(usual), a.max_positions);
  const bool hides = window > 0 && window < a.max_positions;
  if (f.windows == windowed::none && hides) {
    fail(status::data, file.path(), ": ", key, " is ", window,
         ": attention windows are not supported in this family");
  }
  if (window == 0 || (!hides && !f.local)) return;
  const std::vector<bool> windowed = gguf_windowed_layers(file, f, a);
  for (std::size_t i = 0; i < windowed.size(); ++i)
    if (windowed[i] && a.blocks[i].attention) a.blocks[i].attention->window = window;
}

}  // namespace detail

// The architecture of a GGUF file that holds a model. Errors: status::data with file and key.
inline architecture architecture_from_gguf(const gguf_file& file) {
  detail::refuse_split_gguf(file);
  architecture a;
  a.family = std::string(file.require_string("general.architecture"));
  const gguf_family* const family = families::find_gguf(a.family);
  if (family == nullptr) {
    fail(status::data, file.path(), ": architecture ", printable(a.family),
         " is not supported; supported are ", families::gguf_names());
  }
  detail::refuse_unknown_gguf_keys(file, *family);
  const block_part block = detail::read_gguf_sizes(file, *family, a);
  if (a.n_layers > file.tensors().size())  // a few bytes would be many blocks in memory
    fail(status::data, file.path(), ": ", family->name, ".block_count is ", a.n_layers,
         ", but there are only ", file.tensors().size(), " tensors");
  a.blocks.assign(a.n_layers, block);
  for (std::uint32_t i = 0; i < a.n_layers; ++i) a.blocks[i].attention->kv_layer = i;
  if (family->more != nullptr) family->more(file, a);
  check_architecture(a, file.path());
  detail::read_gguf_windows(file, *family, a);
  detail::read_gguf_rope(file, *family, a);
  if (family->finish != nullptr) family->finish(file, a);
  check_architecture(a, file.path());
  return a;
}

}  // namespace depthlens
