// SPDX-License-Identifier: Apache-2.0
// For backends: a tensor of the model file, checked against the architecture and read as float32 by whole
// rows: plain, grouped and transposed matrices, and vectors. tensor_set.hpp finds them by name.
#pragma once

#include "depthlens/abi/types.h"
#include "depthlens/base/error.hpp"
#include "depthlens/files/blocks.hpp"
#include "depthlens/files/tensor.hpp"

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>

namespace depthlens {

// A checked tensor (rows, columns), columns = 1 for vectors; see dlens_tensor for where an element lies.
struct weight_view {
  dtype type = dtype::f32;
  const std::byte* data = nullptr;
  const std::byte* scales = nullptr;  // of dtype::mxfp4_pairs
  std::size_t rows = 0, columns = 0;
  std::size_t row_group = 0, group_stride = 0;    // rows
  std::size_t row_stride = 0, column_stride = 0;  // elements

  bool present() const { return data != nullptr; }
  // True if the rows lie one behind the other, without gaps, as they are read.
  bool is_contiguous() const {
    return column_stride == 1 && row_stride == columns && (rows <= row_group || group_stride == row_group);
  }
  // From the first to the last byte of rows first..first+n-1, whatever lies between them.
  std::span<const std::byte> bytes_of_rows(std::size_t first, std::size_t n) const;
  // Rows first..first+n-1 as floats; out (n, columns).
  void read_rows(std::size_t first, std::size_t n, float* out) const;

 private:
  std::size_t row_start(std::size_t row) const {
    return ((row / row_group) * group_stride + row % row_group) * row_stride;
  }
  void read(std::size_t element, std::size_t n, float* out) const;
  void read_columnwise(std::size_t first, std::size_t n, float* out) const;
};

namespace detail {

// False where a product or sum does not fit 64 bits.
inline bool end_of_view(const weight_view& v, std::size_t& end) {
  const std::size_t last = v.rows - 1, group = last / v.row_group;
  std::size_t row = 0, start = 0, column = 0;
  return !__builtin_mul_overflow(group, v.group_stride, &row) &&
         !__builtin_add_overflow(row, last % v.row_group, &row) &&
         !__builtin_mul_overflow(row, v.row_stride, &start) &&
         !__builtin_mul_overflow(v.columns - 1, v.column_stride, &column) &&
         !__builtin_add_overflow(start, column, &end) && !__builtin_add_overflow(end, 1, &end);
}

}  // namespace detail

// Errors: status::data with the name for a tensor whose bytes do not hold (rows, columns) in the order it
// gives.
inline weight_view checked_view(const std::string& name, const dlens_tensor& t, std::size_t rows,
                                std::size_t columns) {
  const auto type = static_cast<dtype>(t.dtype);
  const block_layout block = block_size(type);
  if (block.values == 0)
    fail(status::data, "tensor ", name, " is of element type ", t.dtype, ", which is unknown");
  weight_view v;
  v.type = type;
  v.data = static_cast<const std::byte*>(t.data);
  v.rows = rows, v.columns = columns;
  v.row_group = t.row_group, v.group_stride = t.group_stride;
  v.row_stride = t.row_stride, v.column_stride = columns == 1 ? 1 : t.column_stride;
  std::size_t scales = SIZE_MAX;  // that there are, for so many blocks
  if (type == dtype::mxfp4_pairs) {
    v.scales = DLENS_HAS(dlens_tensor, &t, scale_bytes) ? static_cast<const std::byte*>(t.scales) : nullptr;
    scales = v.scales ? t.scale_bytes : 0;
  }
  // Of several groups none may reach into the next one, so that the last row is the furthest.
  const bool ordered = v.row_group > 0 && (rows <= v.row_group || v.group_stride >= v.row_group);
  const bool in_blocks =
      block.values == 1 || (columns > 1 && v.column_stride == 1 && columns % block.values == 0 &&
                            v.row_stride % block.values == 0);
  std::size_t end = 0;
  if (!ordered || !in_blocks || !v.data || !detail::end_of_view(v, end) ||
      (end + block.values - 1) / block.values > std::min<std::size_t>(t.bytes / block.bytes, scales)) {
    fail(status::data, "tensor ", name, " has ", t.bytes, " bytes, which do not hold ", rows, " x ", columns,
         " ", dtype_name(type), " values in the order given");
  }
  return v;
}

// `element` begins a block.
inline void weight_view::read(std::size_t element, std::size_t n, float* out) const {
  const block_layout block = block_size(type);
  const std::size_t first = element / block.values;
  const std::byte* const from = data + first * block.bytes;
  if (type == dtype::mxfp4_pairs)
    return detail::dequantize_mxfp4_pairs(from, scales + first, n / block.values, out);
  dequantize(type, from, n, out);
}

inline std::span<const std::byte> weight_view::bytes_of_rows(std::size_t first, std::size_t n) const {
  const block_layout block = block_size(type);
  const std::size_t begin = row_start(first) / block.values * block.bytes;
  const std::size_t last = row_start(first + n - 1) + (columns - 1) * column_stride;
  return {data + begin, (last / block.values + 1) * block.bytes - begin};
}

inline void weight_view::read_rows(std::size_t first, std::size_t n, float* out) const {
  if (column_stride != 1 || columns == 1) return read_columnwise(first, n, out);
  const bool dense = row_stride == columns;
  for (std::size_t row = first; row < first + n;) {
    const std::size_t in_group = dense ? std::min(row_group - row % row_group, first + n - row) : 1;
    read(row_start(row), in_group * columns, out);
    row += in_group;
    out += in_group * columns;
  }
}

// Transposed matrices and vectors: down the columns, where rows lie side by side, in squares that stay in the
// cache.
inline void weight_view::read_columnwise(std::size_t first, std::size_t n, float* out) const {
  constexpr std::size_t side = 64;
  float square[side];
  for (std::size_t row = first; row < first + n;) {
    const std::size_t in_group = std::min(row_group - row % row_group, first + n - row);
    const std::size_t count = row_stride == 1 ? std::min(side, in_group) : 1;
    const std::size_t start = row_start(row);
    for (std::size_t column = 0; column < columns; ++column) {
      read(start + column * column_stride, count, square);
      for (std::size_t i = 0; i < count; ++i) out[i * columns + column] = square[i];
    }
    row += count;
    out += count * columns;
  }
}

}  // namespace depthlens
