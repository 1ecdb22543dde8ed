// SPDX-License-Identifier: Apache-2.0
// Tensors of the model file, checked against the architecture and read as float32: whole rows of plain,
// grouped or transposed matrices, and vectors.
#pragma once

#include "depthlens/abi/backend.h"
#include "depthlens/tensor.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace depthlens::cpu {

// A checked tensor (rows, columns), columns = 1 for vectors; see dlens_tensor for where an element lies.
struct weight_view {
  dtype type = dtype::f32;
  const std::byte* data = nullptr;
  std::size_t rows = 0, columns = 0;
  std::size_t row_group = 0, group_stride = 0;    // rows
  std::size_t row_stride = 0, column_stride = 0;  // elements

  bool present() const { return data != nullptr; }
  // Rows first..first+n-1 as floats; out (n, columns).
  void read_rows(std::size_t first, std::size_t n, float* out) const;

 private:
  std::size_t row_start(std::size_t row) const {
    return ((row / row_group) * group_stride + row % row_group) * row_stride;
  }
  void read(std::size_t element, std::size_t n, float* out) const;
  void read_columnwise(std::size_t first, std::size_t n, float* out) const;
};

// The tensors of a model by name. Errors: status::data with the name for a tensor that is missing, has
// another shape than asked for, or whose bytes do not hold it.
class tensor_set {
 public:
  explicit tensor_set(const dlens_weights& given);

  bool has(const std::string& name) const { return tensors_.contains(name); }
  weight_view matrix(const std::string& name, std::size_t rows, std::size_t columns) const;
  // As matrix, with any number of rows from `rows` on.
  weight_view long_matrix(const std::string& name, std::size_t rows, std::size_t columns) const;
  std::vector<float> vector(const std::string& name, std::size_t n) const;
  // Empty if there is none of that name.
  std::vector<float> optional_vector(const std::string& name, std::size_t n) const;
  // The length of a vector, 0 if there is none of that name.
  std::size_t length(const std::string& name) const;

 private:
  const dlens_tensor& find(const std::string& name) const;

  std::unordered_map<std::string_view, const dlens_tensor*> tensors_;
};

}  // namespace depthlens::cpu
