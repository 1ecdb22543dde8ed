// SPDX-License-Identifier: Apache-2.0
// A linear map on one device. On the CPU its matrix can be packed for oneDNN, where this libtorch has that:
// products then take two thirds of the time of its plain ones.
#pragma once

#include "depthlens/backend/work_counters.hpp"

#include <ATen/ATen.h>

#include <cstdint>
#include <utility>

namespace depthlens::torch_backend {

// x (rows, inputs) -> (rows, outputs).
class linear {
 public:
  linear() = default;
  // weight (outputs, inputs), bias (outputs) or undefined, both of one type.
  linear(at::Tensor weight, at::Tensor bias) : weight_(std::move(weight)), bias_(std::move(bias)) {}

  // Packed, on the CPU, for products with about `rows` rows. Float32 and bf16 are; others stay as they are.
  linear packed(std::int64_t rows) const;
  // x of any float type; the result is of the weight's. With `count`, the product is counted there; its time
  // only on the CPU, as GPUs work behind the caller.
  at::Tensor apply(const at::Tensor& x, product_counter* count = nullptr) const;

  bool present() const { return weight_.defined(); }
  const at::Tensor& weight() const { return weight_; }  // opaque where it was packed
  const at::Tensor& bias() const { return bias_; }
  at::ScalarType type() const { return weight_.scalar_type(); }

  template <class Visit>
  void visit_tensors(const Visit& visit) {
    visit(weight_), visit(bias_);
  }
  template <class Visit>
  void visit_tensors(const Visit& visit) const {
    visit(weight_), visit(bias_);
  }

 private:
  at::Tensor multiply(const at::Tensor& rows) const;

  at::Tensor weight_, bias_;
};

// a (n, k) b (k, m), of one type -> (n, m) float32, summed and kept in float32. On a GPU halves are
// multiplied as halves, where this libtorch can do that (2.8 or newer).
at::Tensor float_product(const at::Tensor& a, const at::Tensor& b);

// Counts a product x weight^T that began at `start`, as linear::apply does. count may be NULL.
void count_product(product_counter* count, const at::Tensor& x, const at::Tensor& weight,
                   std::uint64_t start);

}  // namespace depthlens::torch_backend
