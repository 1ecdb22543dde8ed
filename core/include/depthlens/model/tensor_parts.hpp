// SPDX-License-Identifier: Apache-2.0
// Parts of stored tensors as strided views: rows of fused ones, transposed ones, one expert's slice.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "depthlens/base/error.hpp"
#include "depthlens/files/blocks.hpp"
#include "depthlens/files/tensor.hpp"
#include "depthlens/model/tensor_names.hpp"

namespace depthlens::detail {

// A part of a stored matrix or vector: `rows` rows from `first`, in groups of `group` rows that begin
// `stride` rows apart. Transposed: the stored rows are the columns of the result.
struct part_of_tensor {
  std::uint64_t first = 0, rows = 0, group = 0, stride = 0;
  bool transposed = false;
};

// Moves the view's beginning by so many elements.
inline void advance_view(tensor_view& view, std::uint64_t elements) {
  const auto block = block_size(view.type);
  view.data += elements / block.values * block.bytes;
  if (view.scales == nullptr) return;
  view.scales += elements / block.values;
  view.scale_bytes -= elements / block.values;
}

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
    advance_view(out, part.first);
    out.bytes = bytes_of(row + (whole.shape[0] - 1) * stored_row + 1);
    return out;
  }
  out.shape[0] = part.rows;
  out.row_stride = stored_row;
  out.column_stride = 1;
  advance_view(out, part.first * stored_row);
  out.bytes = bytes_of((row + 1) * stored_row);
  return out;
}

// Element `number` of the first dimension.
inline tensor_view slice_of(const tensor_view& whole, std::uint64_t number) {
  tensor_view out = whole;
  out.shape.erase(out.shape.begin());
  std::uint64_t n = 1;
  for (const std::uint64_t d : out.shape) n *= d;
  const auto block = block_size(whole.type);
  advance_view(out, number * n);
  out.bytes = n / block.values * block.bytes;
  return out;
}

// A tensor of three dimensions, the first of which counts heads, as the matrix (rows, columns) of them all.
// Errors: data, for another shape, and for blocks that would have to be turned.
inline tensor_view view_heads(const tensor_view& whole, bool turned, std::uint64_t heads, std::uint64_t rows,
                              std::uint64_t columns, const std::string& where) {
  const std::uint64_t each = rows / heads;
  const std::vector<std::uint64_t> shape{heads, turned ? columns : each, turned ? each : columns};
  if (whole.shape != shape)
    fail(status::data, where, " has shape ", shape_text(whole.shape), ", expected ", shape_text(shape));
  if (turned && block_size(whole.type).values != 1)
    fail(status::data, where, " is stored as ", dtype_name(whole.type),
         " blocks that run along the dimension to be turned, which is not supported: store it as F32, F16 or "
         "BF16 (llama-quantize --tensor-type attn_k_b=f16 keeps it so)");
  tensor_view out = whole;
  out.shape = {rows, columns};
  out.row_group = turned ? each : rows;
  out.group_stride = turned ? columns * each : rows;
  out.row_stride = turned ? 1 : columns;
  out.column_stride = turned ? each : 1;
  return out;
}

// Whole rows of a matrix several times, one copy behind the other: its bytes, in a vector of floats that is
// only room for them. The first copy is set in `view`.
inline std::vector<float> repeat_rows(tensor_view& view, std::uint64_t times) {
  std::vector<float> room((view.bytes * times + sizeof(float) - 1) / sizeof(float));
  auto* to = reinterpret_cast<std::byte*>(room.data());
  for (std::uint64_t i = 0; i < times; ++i) std::memcpy(to + i * view.bytes, view.data, view.bytes);
  view.data = to;
  view.bytes *= times;
  view.shape[0] *= times;
  view.row_group = view.group_stride = view.shape[0];
  return room;
}

struct part_and_total {
  part_of_tensor part;
  std::uint64_t rows;  // of the stored tensor
};

inline part_and_total part_of_attention(const tensor_rule& rule, part_of_tensor part,
                                        const attention_part& a) {
  const std::uint64_t hd = a.head_dim, group = a.n_heads / a.n_kv_heads, q = a.n_heads * hd,
                      kv = a.n_kv_heads * hd, own = hd - a.rope_dims, vd = a.value_dim;
  switch (rule.fused) {
    case fused_in::qkv:
      part.first = rule.slot == 0 ? 0 : q + (rule.slot - 1) * kv;
      return {part, q + 2 * kv};
    case fused_in::qkv_by_group:
      part.first = rule.slot == 0 ? 0 : (group + rule.slot - 1) * hd;
      part.group = rule.slot == 0 ? group * hd : hd;
      part.stride = (group + 2) * hd;
      return {part, q + 2 * kv};
    case fused_in::query_gate:
      part.first = rule.slot * hd;
      part.group = hd;
      part.stride = 2 * hd;
      return {part, 2 * q};
    case fused_in::latent_kv:
      part.first = rule.slot * own;
      part.group = rule.slot == 0 ? own : vd;
      part.stride = own + vd;
      return {part, a.n_heads * (own + vd)};
    default:  // kv_down_rope
      part.first = rule.slot == 0 ? 0 : a.kv_rank;
      return {part, std::uint64_t{a.kv_rank} + a.rope_dims};
  }
}

// Which part of its stored tensor a rule means, and how many rows that one has.
inline part_and_total part_of_rule(const tensor_rule& rule, const architecture& a, const block_part& b) {
  const std::uint64_t rows = length_of(rule.rows, a, b);
  part_of_tensor part{0, rows, rows, rows, rule.transposed};
  switch (rule.fused) {
    case fused_in::nothing:
      return {part, rows};
    case fused_in::gate_up:
      part.first = rule.slot * rows;
      return {part, 2 * rows};
    case fused_in::gate_up_pairs:
      part.first = rule.slot;
      part.group = 1;
      part.stride = 2;
      return {part, 2 * rows};
    case fused_in::delta_qkv: {
      delta_part stored = *b.delta;
      if (stored.stored_key_heads != 0) stored.n_key_heads = stored.stored_key_heads;
      const std::uint64_t keys = delta_length(extent::delta_keys, stored);
      part.first = rule.slot * keys;
      if (rule.make == made::repeated && b.delta->stored_key_heads != 0)
        part.rows = part.group = part.stride = keys;
      return {part, delta_length(extent::delta_channels, stored)};
    }
    case fused_in::delta_ba: {
      const std::uint64_t group = b.delta->n_value_heads / b.delta->n_key_heads;
      part.first = rule.slot * group;
      part.group = group;
      part.stride = 2 * group;
      return {part, 2 * rows};
    }
    case fused_in::by_head:
    case fused_in::by_head_turned:
      return {part, rows};
    default:
      return part_of_attention(rule, part, *b.attention);
  }
}

}  // namespace depthlens::detail
