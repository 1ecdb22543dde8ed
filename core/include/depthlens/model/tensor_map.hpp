// SPDX-License-Identifier: Apache-2.0
// From the tensors that files store to those that a model computes with: canonical names, checked shapes and
// types, parts of fused tensors and transposed ones as strided views. Tensors that the architecture does not
// explain are refused. Converts no numbers.
#pragma once

#include <cstddef>
#include <cstring>
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

namespace depthlens {

// A tensor under the name it has in the file, of any type.
struct raw_tensor {
  const tensor_view* view = nullptr;
  std::string_view type_name;  // as the format spells it: "Q4_K", "I64"
};

namespace detail {

// A part of a stored matrix or vector: `rows` rows from `first`, in groups of `group` rows that begin
// `stride` rows apart. Transposed: the stored rows are the columns of the result.
struct part_of_tensor {
  std::uint64_t first = 0, rows = 0, group = 0, stride = 0;
  bool transposed = false;
};

// `whole` has one or two dimensions and holds the part; errors: data, for blocks in a transposed tensor.
inline tensor_view view_part(const tensor_view& whole, const part_of_tensor& part, const std::string& where) {
  tensor_view out = whole;
  const bool matrix = whole.shape.size() == 2;
  const std::uint64_t stored_row = matrix ? whole.shape[1] : 1;
  const auto block = block_size(whole.type);
  const auto bytes_of = [&](std::uint64_t elements) { return elements / block.values * block.bytes; };
  out.row_group = part.group;
  out.group_stride = part.stride;
  const std::uint64_t last = part.rows - 1, row = last / part.group * part.stride + last % part.group;
  if (part.transposed && matrix) {
    if (block.values != 1) fail(status::data, where, ": a transposed tensor cannot hold quantised blocks");
    out.shape = {part.rows, whole.shape[0]};
    out.row_stride = 1;
    out.column_stride = stored_row;
    out.data += bytes_of(part.first);
    out.bytes = bytes_of(row + (whole.shape[0] - 1) * stored_row + 1);
    return out;
  }
  out.shape[0] = part.rows;
  out.row_stride = stored_row;
  out.column_stride = 1;
  out.data += bytes_of(part.first * stored_row);
  out.bytes = bytes_of((row + 1) * stored_row);
  return out;
}

// Which part of its stored tensor a rule means, and how many rows that one has.
inline std::pair<part_of_tensor, std::uint64_t> part_of_rule(const tensor_rule& rule, const architecture& a) {
  const std::uint64_t rows = length_of(rule.rows, a), q = length_of(extent::query, a),
                      kv = length_of(extent::key_value, a);
  part_of_tensor part{0, rows, rows, rows, rule.transposed};
  switch (rule.fused) {
    case fused_in::nothing:
      return {part, rows};
    case fused_in::qkv:
      part.first = rule.slot == 0 ? 0 : q + (rule.slot - 1) * kv;
      return {part, q + 2 * kv};
    case fused_in::qkv_by_head:
      part.first = std::uint64_t{rule.slot} * a.head_dim;
      part.group = a.head_dim;
      part.stride = std::uint64_t{3} * a.head_dim;
      return {part, 3 * q};
    case fused_in::gate_up:
      part.first = rule.slot * rows;
      return {part, 2 * rows};
  }
  return {part, rows};
}

class tensor_mapper {
 public:
  tensor_mapper(std::span<const raw_tensor> raw, const architecture& a, const tensor_table& table,
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

  std::vector<tensor_view> map() {
    for (const tensor_rule& rule : table_.outside) {
      add_with_bias(rule, cat(prefix_, rule.stored), rule.canonical);
    }
    for (std::uint32_t i = 0; i < arch_.n_layers; ++i) {
      for (const tensor_rule& rule : table_.block) {
        add_with_bias(rule, cat(prefix_, table_.blocks, i, ".", rule.stored),
                      cat("block.", i, ".", rule.canonical));
      }
    }
    add_with_bias(table_.final_norm, cat(prefix_, table_.final_norm.stored), "final_norm");
    if (arch_.tied) {
      add_tied(cat(table_.head.stored, ".weight"));
      const std::string bias = cat(table_.head.stored, ".bias");
      if (has_bias(table_.head, bias)) add(table_.head, bias, "unembed.bias", true);
    } else {
      add_with_bias(table_.head, table_.head.stored, "unembed");
    }
    refuse_rest();
    return std::move(out_);
  }

 private:
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

  void add_with_bias(const tensor_rule& rule, const std::string& stored, const std::string& canonical) {
    add(rule, stored + ".weight", canonical, rule.columns == extent::one);
    if (has_bias(rule, stored + ".bias")) add(rule, stored + ".bias", canonical + ".bias", true);
  }

  void add(const tensor_rule& rule, const std::string& stored, const std::string& canonical, bool is_vector) {
    const auto at = by_name_.find(stored);
    if (at == by_name_.end()) fail(status::data, label_, ": tensor ", printable(stored), " is missing");
    const raw_tensor& raw = raw_[at->second];
    const auto [part, rows] = part_of_rule(rule, arch_);
    std::vector<std::uint64_t> shape{rows};
    if (!is_vector)
      shape.insert(rule.transposed ? shape.begin() : shape.end(), length_of(rule.columns, arch_));
    if (raw.view->shape != shape) {
      fail(status::data, label_, ": tensor ", printable(stored), " has shape ", shape_text(raw.view->shape),
           ", expected ", shape_text(shape));
    }
    if (raw.view->type == dtype::other) {
      fail(status::data, label_, ": tensor ", printable(stored), " is of type ", raw.type_name,
           ", which cannot be computed with; ", readable_dtypes(), " can");
    }
    out_.push_back(view_part(*raw.view, part, cat(label_, ": tensor ", printable(stored))));
    out_.back().name = canonical;
    used_[at->second] = true;
  }

  // A tied unembedding may still be stored, then it must be the same; two that differ would make two models.
  void add_tied(const std::string& stored) {
    tensor_view view = out_.front();
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
    out_.push_back(std::move(view));
  }

  void refuse_rest() const {
    for (std::size_t i = 0; i < raw_.size(); ++i) {
      const std::string_view stored = raw_[i].view->name;
      if (used_[i] || ends_with_one_of(stored, table_.ignorable) ||
          starts_with_one_of(stored, table_.ignorable_starts)) {
        continue;
      }
      fail(status::data, label_, ": tensor ", printable(stored), " does not belong to a ", arch_.family,
           " model of ", arch_.n_layers, " layers; its effect would be lost");
    }
  }

  std::span<const raw_tensor> raw_;
  const architecture& arch_;
  const tensor_table& table_;
  std::string label_;
  std::string_view prefix_;
  std::map<std::string_view, std::size_t, std::less<>> by_name_;
  std::vector<bool> used_;
  std::vector<tensor_view> out_;
};

}  // namespace detail

// embed, position, block.0.*, ..., final_norm, unembed (the data of embed where tied). `label` begins errors;
// the views live as long as the stored tensors' data. Errors: data.
inline std::vector<tensor_view> canonical_tensors(std::span<const raw_tensor> stored, const architecture& a,
                                                  const tensor_table& table, std::string label) {
  return detail::tensor_mapper(stored, a, table, std::move(label)).map();
}

}  // namespace depthlens
