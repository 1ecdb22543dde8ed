// SPDX-License-Identifier: Apache-2.0
// For backends: the tensors that come with a model's weights, by name and in the shape that the architecture
// asks for.
#pragma once

#include "depthlens/abi/backend.h"
#include "depthlens/backend/weight_view.hpp"
#include "depthlens/base/abi_error.hpp"
#include "depthlens/base/error.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace depthlens {

// The tensors of a model by name. Errors: status::data with the name for a tensor that is missing, has
// another shape than asked for, or whose bytes do not hold it.
class tensor_set {
 public:
  explicit tensor_set(const dlens_weights& given);

  bool has(const std::string& name) const { return tensors_.contains(name); }
  weight_view matrix(const std::string& name, std::size_t rows, std::size_t columns) const;
  // As matrix, with any number of rows from `rows` on.
  weight_view long_matrix(const std::string& name, std::size_t rows, std::size_t columns) const;
  // A matrix of one row is one too.
  std::vector<float> vector(const std::string& name, std::size_t n) const;
  // Empty if there is none of that name.
  std::vector<float> optional_vector(const std::string& name, std::size_t n) const;
  // The length of a vector, 0 if there is none of that name.
  std::size_t length(const std::string& name) const;

 private:
  const dlens_tensor& find(const std::string& name) const;

  std::unordered_map<std::string_view, const dlens_tensor*> tensors_;
};

inline tensor_set::tensor_set(const dlens_weights& given) {
  for (std::uint64_t i = 0; i < given.n_tensors; ++i) {
    const dlens_tensor* tensor = given.tensors ? given.tensors[i] : nullptr;
    if (!tensor || !DLENS_HAS(dlens_tensor, tensor, column_stride))
      fail(status::internal, "tensor ", i, " is not described");
    tensors_.emplace(to_view(tensor->name), tensor);
  }
}

inline const dlens_tensor& tensor_set::find(const std::string& name) const {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) fail(status::data, "the model has no tensor ", name);
  return *found->second;
}

inline weight_view tensor_set::matrix(const std::string& name, std::size_t rows, std::size_t columns) const {
  const dlens_tensor& t = find(name);
  if (t.n_dims != 2 || t.shape[0] != rows || t.shape[1] != columns) {
    fail(status::data, "tensor ", name, " is not of the shape (", rows, ", ", columns,
         ") of the architecture");
  }
  return checked_view(name, t, rows, columns);
}

inline weight_view tensor_set::long_matrix(const std::string& name, std::size_t rows,
                                           std::size_t columns) const {
  const dlens_tensor& t = find(name);
  if (t.n_dims != 2 || t.shape[0] < rows || t.shape[1] != columns) {
    fail(status::data, "tensor ", name, " has not the shape of the architecture: ", rows, " rows or more of ",
         columns);
  }
  return checked_view(name, t, t.shape[0], columns);
}

inline std::vector<float> tensor_set::vector(const std::string& name, std::size_t n) const {
  const dlens_tensor& t = find(name);
  const bool one_row = t.n_dims == 2 && t.shape[0] == 1 && t.shape[1] == n;
  if (!one_row && (t.n_dims != 1 || t.shape[0] != n))
    fail(status::data, "tensor ", name, " is not of the shape (", n, ") of the architecture");
  std::vector<float> out(n);
  if (one_row) {
    checked_view(name, t, 1, n).read_rows(0, 1, out.data());
  } else {
    checked_view(name, t, n, 1).read_rows(0, n, out.data());
  }
  return out;
}

inline std::vector<float> tensor_set::optional_vector(const std::string& name, std::size_t n) const {
  return has(name) ? vector(name, n) : std::vector<float>{};
}

inline std::size_t tensor_set::length(const std::string& name) const {
  const auto found = tensors_.find(name);
  return found == tensors_.end() || found->second->n_dims != 1 ? 0 : found->second->shape[0];
}

}  // namespace depthlens
