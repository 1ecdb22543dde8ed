// SPDX-License-Identifier: Apache-2.0
// Products of activations with weights that oneDNN has packed into its own layout, in float32.
//
// A row of a product does not depend on how many rows there are: rows go through oneDNN in chunks of at most 256,
// the last one rounded up to a multiple of 16, with one primitive for each (inputs, outputs, chunk) that is made on
// first use; each call runs on one OpenMP thread. tests/backend checks it for 1 to 600 rows.
// Works with oneDNN 2.6 and later.
#pragma once

#include "workspace.hpp"

#include <dnnl.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

namespace depthlens::cpu {

// The primitives of one pair (inputs K, outputs N). Thread-safe.
class matmul_shape {
 public:
  static constexpr std::size_t row_step = 16, max_rows = 256;

  matmul_shape(const dnnl::engine& engine, std::size_t inputs, std::size_t outputs);
  ~matmul_shape();
  matmul_shape(const matmul_shape&) = delete;
  matmul_shape& operator=(const matmul_shape&) = delete;

  struct primitive {
    dnnl::matmul::primitive_desc desc;
    dnnl::matmul run;
  };
  // For `rows`, a multiple of row_step, 1..max_rows of them.
  const primitive& for_rows(std::size_t rows) const;

  const dnnl::engine& engine() const { return engine_; }
  const dnnl::memory::desc& plain() const { return plain_; }    // (inputs, outputs), outputs outermost
  const dnnl::memory::desc& packed() const { return packed_; }
  const dnnl::reorder& pack() const { return pack_; }
  const dnnl::memory::desc& pack_scratch() const { return pack_scratch_; }
  std::size_t inputs() const { return inputs_; }
  std::size_t outputs() const { return outputs_; }

 private:
  dnnl::matmul::primitive_desc describe(std::size_t rows, const dnnl::memory::desc& weights) const;

  dnnl::engine engine_;
  std::size_t inputs_, outputs_;
  dnnl::memory::desc plain_, packed_, pack_scratch_;
  dnnl::reorder pack_;
  mutable std::mutex making_;
  mutable std::array<std::atomic<const primitive*>, max_rows / row_step> primitives_{};
};

// Shapes by (inputs, outputs), so that layers share primitives. Thread-safe.
class matmul_shapes {
 public:
  matmul_shapes() : engine_(dnnl::engine::kind::cpu, 0) {}
  const matmul_shape& get(std::size_t inputs, std::size_t outputs);

 private:
  dnnl::engine engine_;
  std::mutex lock_;
  std::map<std::pair<std::size_t, std::size_t>, std::unique_ptr<matmul_shape>> shapes_;
};

// One weight matrix, packed.
class packed_matrix {
 public:
  packed_matrix() = default;
  // Has no values before assign. `shape` must outlive it.
  explicit packed_matrix(const matmul_shape& shape) : shape_(&shape) {}
  // weights (outputs, inputs) row-major, read during the call only. Call within run_single_threaded
  // (single_thread.hpp), as multiply.
  void assign(const float* weights, workspace& scratch);

  std::size_t inputs() const { return shape_->inputs(); }
  std::size_t outputs() const { return shape_->outputs(); }
  std::size_t bytes() const { return data_.size() * sizeof(float); }

  // out (rows, outputs) = in (rows, inputs) * weights transposed. Both must have room for padded_rows(rows) rows, and
  // the rows of `in` beyond `rows` must be initialised.
  void multiply(const float* in, std::size_t rows, float* out, workspace& scratch) const;

 private:
  const matmul_shape* shape_ = nullptr;
  float_buffer data_;
};

constexpr std::size_t padded_rows(std::size_t rows) {
  return (rows + matmul_shape::row_step - 1) / matmul_shape::row_step * matmul_shape::row_step;
}

// "oneDNN 2.6.3 (AVX-512 ...)": what the bits of a product may depend on.
std::string matmul_description();

}  // namespace depthlens::cpu
