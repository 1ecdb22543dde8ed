// SPDX-License-Identifier: Apache-2.0
// From the tensors that files store to those that a model computes with: canonical names, checked shapes and
// types, parts of fused tensors and transposed ones as strided views (tensor_parts.hpp), and the few small
// vectors whose numbers are made of stored ones. Tensors that the architecture does not explain are refused.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "depthlens/base/error.hpp"
#include "depthlens/base/text.hpp"
#include "depthlens/files/blocks.hpp"
#include "depthlens/files/tensor.hpp"
#include "depthlens/model/architecture.hpp"
#include "depthlens/model/tensor_names.hpp"
#include "depthlens/model/tensor_parts.hpp"

namespace depthlens {

// A tensor under the name it has in the file, of any type.
struct raw_tensor {
  const tensor_view* view = nullptr;
  std::string_view type_name;  // as the format spells it: "Q4_K", "I64"
};

// Canonical tensors, and the numbers that some of them were made of.
struct mapped_tensors {
  std::vector<tensor_view> views;
  std::deque<std::vector<float>> own;  // stays where it is when this is moved
};

namespace detail {

class tensor_mapper {
 public:
  tensor_mapper(std::span<const raw_tensor> raw, architecture& a, const tensor_table& table,
                std::string label)
      : raw_(raw), arch_(a), table_(table), label_(std::move(label)), used_(raw.size()) {
    for (std::size_t i = 0; i < raw.size(); ++i) by_name_.emplace(raw[i].view->name, i);
    for (const std::string_view prefix : table.prefixes) {
      if (!by_name_.contains(cat(prefix, table.outside.front().stored, ".weight"))) continue;
      prefix_ = prefix;
      return;
    }
    prefix_ = table.prefixes.front();
  }

  mapped_tensors map() {
    const block_part none;
    for (const tensor_rule& rule : table_.outside)
      if (holds_in(rule.only, arch_, none, 0)) apply(rule, prefix_, rule.canonical, none);
    for (std::uint32_t i = 0; i < arch_.n_layers; ++i) map_block(i);
    if (table_.final_norm.canonical != nullptr) {
      apply(table_.final_norm, prefix_, "final_norm", none);
      scale_final_norm();
    }
    map_head(none);
    refuse_rest();
    return std::move(out_);
  }

 private:
  void map_block(std::uint32_t layer) {
    const std::string prefix = cat(prefix_, table_.blocks, layer, ".");
    const block_part& block = arch_.blocks[layer];
    for (const tensor_rule& rule : table_.block) {
      const std::string canonical = cat("block.", layer, ".", rule.canonical);
      if (!stored_so(rule, prefix)) continue;
      if (!holds_in(rule.only, arch_, block, layer)) {
        // Some files hold what a block that takes another one's keys and values has no use for.
        if (rule.only == only_in::own_kv || rule.only == only_in::own_v) pass_over(rule, prefix, block);
      } else if (rule.make == made::output_scale) {
        arch_.blocks[layer].output_scale = read_scalar(stored_name(prefix, rule.stored, 0, ".weight"));
      } else if (const std::size_t at = canonical.find('#'); at == std::string::npos) {
        apply(rule, prefix, canonical, block);
      } else {
        for (std::uint32_t e = 0; e < block.experts->n_experts; ++e)
          apply(rule, prefix, cat(canonical.substr(0, at), e, canonical.substr(at + 1)), block, e);
      }
    }
  }

  bool stored_so(const tensor_rule& rule, const std::string& prefix) const {
    const auto stored = [&](std::string_view name) {
      return by_name_.contains(stored_name(prefix, name, 0, ".weight"));
    };
    std::string_view others = rule.without == nullptr ? "" : rule.without;
    for (; !others.empty(); others.remove_prefix(std::min(others.size(), others.find(' ') + 1))) {
      if (stored(others.substr(0, others.find(' ')))) return false;
      if (others.find(' ') == std::string_view::npos) break;
    }
    return rule.with == nullptr || stored(rule.with);
  }

  void map_head(const block_part& none) {
    if (!arch_.tied) return apply(table_.head, "", "unembed", none);
    add_tied(cat(table_.head.stored, ".weight"));
    const std::string bias = cat(table_.head.stored, ".bias");
    if (has_bias(table_.head, bias)) add(table_.head, bias, "unembed.bias", none, 0, true);
  }

  bool has_bias(const tensor_rule& rule, const std::string& stored) const {
    switch (rule.bias) {
      case bias_of::nothing:
        return false;
      case bias_of::always:
        return true;
      case bias_of::attention:
        return arch_.attention_bias;
      case bias_of::mlp:
        return arch_.mlp_bias;
      case bias_of::present:
        return by_name_.contains(stored);
    }
    return false;
  }

  static std::string stored_name(std::string_view prefix, std::string_view stored, std::uint32_t number,
                                 std::string_view ending) {
    const bool whole = stored.starts_with('=');
    if (whole) stored.remove_prefix(1);
    const std::size_t at = stored.find('#');
    const std::string name = at == std::string_view::npos
                                 ? std::string(stored)
                                 : cat(stored.substr(0, at), number, stored.substr(at + 1));
    return cat(prefix, name, whole ? "" : ending);
  }

  // The tensor and its bias.
  void apply(const tensor_rule& rule, std::string_view prefix, const std::string& canonical,
             const block_part& block, std::uint32_t number = 0) {
    const bool same_heads = rule.make == made::repeated && block.delta->stored_key_heads == 0;
    if (rule.make != made::as_stored && !same_heads) return make(rule, prefix, canonical, block);
    add(rule, stored_name(prefix, rule.stored, number, ".weight"), canonical, block, number,
        rule.columns == extent::one);
    const std::string bias = stored_name(prefix, rule.stored, number, ".bias");
    if (has_bias(rule, bias)) add(rule, bias, canonical + ".bias", block, number, true);
  }

  const raw_tensor& find(const std::string& stored) {
    const auto at = by_name_.find(stored);
    if (at == by_name_.end()) fail(status::data, label_, ": tensor ", printable(stored), " is missing");
    used_[at->second] = true;
    return raw_[at->second];
  }

  void add(const tensor_rule& rule, const std::string& stored, const std::string& canonical,
           const block_part& block, std::uint32_t expert, bool is_vector) {
    out_.views.push_back(part(rule, stored, block, expert, is_vector));
    out_.views.back().name = canonical;
  }

  tensor_view part(const tensor_rule& rule, const std::string& stored, const block_part& block,
                   std::uint32_t expert, bool is_vector) {
    const raw_tensor& raw = find(stored);
    auto [part, rows] = part_of_rule(rule, arch_, block);
    part.transposed = rule.transposed && raw.view->type != dtype::mxfp4_pairs;
    std::vector<std::uint64_t> shape{rows};
    if (!is_vector)
      shape.insert(part.transposed ? shape.begin() : shape.end(), length_of(rule.columns, arch_, block));
    const bool of_all = std::strchr(rule.canonical, '#') && !std::strchr(rule.stored, '#');
    if (of_all) shape.insert(shape.begin(), block.experts->n_experts);
    tensor_view whole = *raw.view;
    // A convolution of every channel by itself has a dimension of 1.
    if (rule.columns == extent::conv_width && whole.shape.size() == 3 && whole.shape[1] == 1)
      whole.shape.erase(whole.shape.begin() + 1);
    const bool by_head = rule.fused == fused_in::by_head || rule.fused == fused_in::by_head_turned;
    if (by_head && raw.view->type != dtype::other)
      return view_heads(whole, rule.fused == fused_in::by_head_turned, block.attention->n_heads, rows,
                        length_of(rule.columns, arch_, block), cat(label_, ": tensor ", printable(stored)));
    // A matrix of one row may be stored as a vector.
    if (shape.size() == 2 && shape[0] == 1 && whole.shape.size() == 1)
      whole.shape.insert(whole.shape.begin(), 1);
    if (whole.shape != shape) {
      fail(status::data, label_, ": tensor ", printable(stored), " has shape ", shape_text(raw.view->shape),
           ", expected ", shape_text(shape));
    }
    if (raw.view->type == dtype::other) {
      fail(status::data, label_, ": tensor ", printable(stored), " is of type ", raw.type_name,
           ", which cannot be computed with; ", readable_dtypes(), " can");
    }
    if (of_all) whole = slice_of(whole, expert);
    return view_part(whole, part, cat(label_, ": tensor ", printable(stored)));
  }

  std::vector<float> values_of(const tensor_view& view) const {
    std::uint64_t n = 1;
    for (const std::uint64_t d : view.shape) n *= d;
    std::vector<float> out(n);
    dequantize(view.type, view.data, n, out.data());
    return out;
  }

  void add_own(std::vector<float> values, std::vector<std::uint64_t> shape, const std::string& canonical) {
    const std::vector<float>& kept = out_.own.emplace_back(std::move(values));
    tensor_view view{.name = canonical, .type = dtype::f32, .shape = std::move(shape)};
    view.data = reinterpret_cast<const std::byte*>(kept.data());
    view.bytes = kept.size() * sizeof(float);
    view.row_group = view.group_stride = view.shape[0];
    view.row_stride = view.shape.size() == 2 ? view.shape[1] : 1;
    view.column_stride = 1;
    out_.views.push_back(std::move(view));
  }

  void make(const tensor_rule& rule, std::string_view prefix, const std::string& canonical,
            const block_part& block) {
    const std::uint64_t rows = length_of(rule.rows, arch_, block);
    if (rule.make == made::ones) return add_own(std::vector<float>(rows, 1.0f), {rows}, canonical);
    if (rule.make == made::stacked) return make_stacked(rule, prefix, canonical, block);
    if (rule.make == made::repeated) return make_repeated(rule, prefix, canonical, block);
    std::vector<float> values =
        values_of(part(rule, stored_name(prefix, rule.stored, 0, ".weight"), block, 0, true));
    const auto root = static_cast<float>(1 / std::sqrt(static_cast<double>(arch_.d_model)));
    for (float& x : values) x = rule.make == made::minus_exp ? -std::exp(x) : x * root;
    add_own(std::move(values), {rows}, canonical);
  }

  void make_stacked(const tensor_rule& rule, std::string_view prefix, const std::string& canonical,
                    const block_part& block) {
    const std::uint64_t rows = length_of(rule.rows, arch_, block),
                        columns = length_of(rule.columns, arch_, block);
    tensor_rule one = rule;
    one.rows = rule.columns;
    std::vector<float> all;
    for (std::uint32_t i = 0; i < rows; ++i) {
      const std::vector<float> row =
          values_of(part(one, stored_name(prefix, rule.stored, i, ".weight"), block, i, true));
      all.insert(all.end(), row.begin(), row.end());
    }
    add_own(std::move(all), {rows, columns}, canonical);
  }

  // What belongs to key heads, for a delta rule that takes each several times.
  void make_repeated(const tensor_rule& rule, std::string_view prefix, const std::string& canonical,
                     const block_part& block) {
    const delta_part& d = *block.delta;
    const std::uint64_t times = d.n_key_heads / d.stored_key_heads;
    tensor_view view = part(rule, stored_name(prefix, rule.stored, 0, ".weight"), block, 0, false);
    view.name = canonical;
    if (rule.columns != extent::conv_width) {
      out_.own.push_back(repeat_rows(view, times));
      return out_.views.push_back(std::move(view));
    }
    view.shape[0] =
        raw_[by_name_.find(stored_name(prefix, rule.stored, 0, ".weight"))->second].view->shape[0];
    const std::vector<float> all = values_of(view);
    const auto keys =
        static_cast<std::ptrdiff_t>(std::uint64_t{d.stored_key_heads} * d.key_dim * d.conv_width);
    std::vector<float> values;
    for (const std::ptrdiff_t of : {std::ptrdiff_t{0}, keys})
      for (std::uint64_t i = 0; i < times; ++i)
        values.insert(values.end(), all.begin() + of, all.begin() + of + keys);
    values.insert(values.end(), all.begin() + 2 * keys, all.end());
    add_own(std::move(values), {length_of(rule.rows, arch_, block), d.conv_width}, canonical);
  }

  double read_scalar(const std::string& stored) {
    const raw_tensor& raw = find(stored);
    if (raw.view->shape != std::vector<std::uint64_t>{1} || raw.view->type == dtype::other)
      fail(status::data, label_, ": tensor ", printable(stored), " has shape ", shape_text(raw.view->shape),
           " of ", raw.type_name, ", expected one number");
    return static_cast<double>(values_of(*raw.view)[0]);
  }

  // A scale of logits is the same as one of what the unembedding is multiplied with.
  void scale_final_norm() {
    if (arch_.logit_scale == 1) return;
    const std::size_t n = out_.views.size();
    const std::size_t first = out_.views[n - 1].name == "final_norm" ? n - 1 : n - 2;
    for (std::size_t i = first; i < n; ++i) {
      const tensor_view stored = out_.views[i];
      std::vector<float> values = values_of(stored);
      for (float& x : values) x = static_cast<float>(static_cast<double>(x) * arch_.logit_scale);
      add_own(std::move(values), stored.shape, stored.name);
      out_.views[i] = std::move(out_.views.back());
      out_.views.pop_back();
    }
  }

  // A tied unembedding may still be stored, then it must be the same; two that differ would make two models.
  void add_tied(const std::string& stored) {
    tensor_view view = out_.views.front();
    if (const auto at = by_name_.find(stored); at != by_name_.end()) {
      const tensor_view& other = *raw_[at->second].view;
      const bool same = other.shape == view.shape && other.type == view.type &&
                        std::memcmp(other.data, view.data, view.bytes) == 0;
      if (!same) {
        fail(status::data, label_, ": tie_word_embeddings is true, but tensor ", printable(stored),
             " differs from the embedding");
      }
      used_[at->second] = true;
    }
    view.name = "unembed";
    out_.views.push_back(std::move(view));
  }

  void pass_over(const tensor_rule& rule, const std::string& prefix, const block_part&) {
    for (const char* ending : {".weight", ".bias"}) {
      const auto at = by_name_.find(stored_name(prefix, rule.stored, 0, ending));
      if (at != by_name_.end()) used_[at->second] = true;
    }
  }

  // Nothing is lost unsaid.
  void refuse_rest() {
    const std::string behind = cat(prefix_, table_.blocks, arch_.n_layers, ".");
    std::map<std::string, std::size_t> left_out;
    for (std::size_t i = 0; i < raw_.size(); ++i) {
      const std::string_view stored = raw_[i].view->name;
      if (used_[i] || ends_with_one_of(stored, table_.ignorable) ||
          !start_of(stored, table_.ignorable_starts).empty()) {
        continue;
      }
      std::string_view start = start_of(stored, table_.left_out);
      if (start.empty() && is_listed(table_.left_out, "@") && stored.starts_with(behind)) start = behind;
      if (start.empty()) {
        fail(status::data, label_, ": tensor ", printable(stored), " does not belong to a ", arch_.family,
             " model of ", arch_.n_layers, " layers; its effect would be lost");
      }
      ++left_out[std::string(start)];
    }
    for (const auto& [start, n] : left_out)
      arch_.notes.push_back(
          cat(label_, ": ", n, " tensors of ", start, "* are not part of the text model and not read"));
  }

  std::span<const raw_tensor> raw_;
  architecture& arch_;
  const tensor_table& table_;
  std::string label_;
  std::string_view prefix_;
  std::map<std::string_view, std::size_t, std::less<>> by_name_;
  std::vector<bool> used_;
  mapped_tensors out_;
};

}  // namespace detail

// embed and what else is outside, block.0.*, ..., final_norm, unembed (the data of embed where tied). `label`
// begins errors; the views live as long as the stored tensors' data and `own`. What tensors say of the
// architecture is set there. Errors: data.
inline mapped_tensors canonical_tensors(std::span<const raw_tensor> stored, architecture& a,
                                        const tensor_table& table, std::string label) {
  return detail::tensor_mapper(stored, a, table, std::move(label)).map();
}

}  // namespace depthlens
