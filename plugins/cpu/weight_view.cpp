// SPDX-License-Identifier: Apache-2.0
#include "weight_view.hpp"

#include "depthlens/abi_error.hpp"
#include "depthlens/error.hpp"
#include "depthlens/model/blocks.hpp"

#include <algorithm>

namespace depthlens::cpu {

namespace {

// False where a product or sum does not fit 64 bits.
bool end_of_view(const weight_view& v, std::size_t& end) {
  const std::size_t last = v.rows - 1, group = last / v.row_group;
  std::size_t row = 0, start = 0, column = 0;
  return !__builtin_mul_overflow(group, v.group_stride, &row) &&
         !__builtin_add_overflow(row, last % v.row_group, &row) &&
         !__builtin_mul_overflow(row, v.row_stride, &start) &&
         !__builtin_mul_overflow(v.columns - 1, v.column_stride, &column) &&
         !__builtin_add_overflow(start, column, &end) && !__builtin_add_overflow(end, 1, &end);
}

weight_view checked_view(const std::string& name, const dlens_tensor& t, std::size_t rows,
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
  // Of several groups none may reach into the next one, so that the last row is the furthest.
  const bool ordered = v.row_group > 0 && (rows <= v.row_group || v.group_stride >= v.row_group);
  const bool in_blocks =
      block.values == 1 || (columns > 1 && v.column_stride == 1 && columns % block.values == 0 &&
                            v.row_stride % block.values == 0);
  std::size_t end = 0;
  if (!ordered || !in_blocks || !v.data || !end_of_view(v, end) ||
      (end + block.values - 1) / block.values > t.bytes / block.bytes) {
    fail(status::data, "tensor ", name, " has ", t.bytes, " bytes, which do not hold ", rows, " x ", columns,
         " ", dtype_name(type), " values in the order given");
  }
  return v;
}

}  // namespace

// `element` begins a block.
void weight_view::read(std::size_t element, std::size_t n, float* out) const {
  const block_layout block = block_size(type);
  dequantize(type, data + element / block.values * block.bytes, n, out);
}

void weight_view::read_rows(std::size_t first, std::size_t n, float* out) const {
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
void weight_view::read_columnwise(std::size_t first, std::size_t n, float* out) const {
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

tensor_set::tensor_set(const dlens_weights& given) {
  for (std::uint64_t i = 0; i < given.n_tensors; ++i) {
    const dlens_tensor* tensor = given.tensors ? given.tensors[i] : nullptr;
    if (!tensor || tensor->size < sizeof(dlens_tensor))
      fail(status::internal, "tensor ", i, " is not described");
    tensors_.emplace(to_view(tensor->name), tensor);
  }
}

const dlens_tensor& tensor_set::find(const std::string& name) const {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) fail(status::data, "the model has no tensor ", name);
  return *found->second;
}

weight_view tensor_set::matrix(const std::string& name, std::size_t rows, std::size_t columns) const {
  const dlens_tensor& t = find(name);
  if (t.n_dims != 2 || t.shape[0] != rows || t.shape[1] != columns) {
    fail(status::data, "tensor ", name, " is not of the shape (", rows, ", ", columns,
         ") of the architecture");
  }
  return checked_view(name, t, rows, columns);
}

weight_view tensor_set::long_matrix(const std::string& name, std::size_t rows, std::size_t columns) const {
  const dlens_tensor& t = find(name);
  if (t.n_dims != 2 || t.shape[0] < rows || t.shape[1] != columns) {
    fail(status::data, "tensor ", name, " has not the shape of the architecture: ", rows, " rows or more of ",
         columns);
  }
  return checked_view(name, t, t.shape[0], columns);
}

std::vector<float> tensor_set::vector(const std::string& name, std::size_t n) const {
  const dlens_tensor& t = find(name);
  if (t.n_dims != 1 || t.shape[0] != n) {
    fail(status::data, "tensor ", name, " is not of the shape (", n, ") of the architecture");
  }
  std::vector<float> out(n);
  checked_view(name, t, n, 1).read_rows(0, n, out.data());
  return out;
}

std::vector<float> tensor_set::optional_vector(const std::string& name, std::size_t n) const {
  return has(name) ? vector(name, n) : std::vector<float>{};
}

std::size_t tensor_set::length(const std::string& name) const {
  const auto found = tensors_.find(name);
  return found == tensors_.end() || found->second->n_dims != 1 ? 0 : found->second->shape[0];
}

}  // namespace depthlens::cpu
