// SPDX-License-Identifier: Apache-2.0
// Products of activations with weights that oneDNN has packed into its own layout, in float32; with weights
// held as bf16, activations are rounded to bf16, products and sums are float32.
//
// A row of a product does not depend on how many rows there are or on its place among them: rows go through
// oneDNN in chunks of 256, the rest rounded up to a multiple of 8 (of 2 for experts) if above 16, with one
// primitive for each (inputs, outputs, chunk) that is made on first use; each call runs on one thread.
// oneDNN's brgemm kernels keep that promise for every chunk; those of its older kernels that do not (AVX2, 32
// rows) are found by a probe and a larger chunk is taken instead. Works with oneDNN 2.6 and later.
//
// Where the CPU multiplies no bf16 (or oneDNN has no brgemm kernel for it), rounded values are multiplied as
// float32: the same numbers but for the order of sums, at the speed and in the memory of float32.
#pragma once

#include "kernels/kernels.hpp"
#include "rows.hpp"
#include "workspace.hpp"

#include <dnnl.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <tuple>
#include <vector>

namespace depthlens::cpu {

// What weights, and with them the inputs of products, are rounded to.
enum class precision : std::uint32_t { f32, bf16 };

// Of which a chunk of more than 16 rows is a multiple. `fine` is for many small products with the same shape,
// as experts' are: less padding for more primitives.
enum class row_steps : std::uint32_t { coarse = 8, fine = 2 };

// The primitives of one pair (inputs K, outputs N). Thread-safe.
class matmul_shape {
 public:
  static constexpr std::size_t max_rows = 256;

  matmul_shape(const dnnl::engine& engine, std::size_t inputs, std::size_t outputs, precision weights,
               row_steps steps);
  matmul_shape(const matmul_shape&) = delete;
  matmul_shape& operator=(const matmul_shape&) = delete;

  struct primitive {
    std::size_t rows;
    dnnl::matmul::primitive_desc desc;
    dnnl::matmul run;
  };
  // For at least `rows` rows, 1..max_rows.
  const primitive& for_rows(std::size_t rows) const;
  // False: no chunk was found that keeps the promise above.
  bool rows_are_independent() const { return rows_are_independent_; }
  // True: an output's value does not depend on which others there are either.
  bool sums_in_one_order() const { return !needs_probe_; }
  precision weights() const { return weights_; }
  // How weights and inputs are held: weights(), or f32 where bf16 is not multiplied here.
  precision held() const { return held_; }

  const dnnl::engine& engine() const { return engine_; }
  const dnnl::memory::desc& packed() const { return packed_; }
  // Weights are packed by slices of so many outputs, which lie one behind the other: from a plain (slice,
  // inputs) matrix that stays in the cache. The last slice may hold fewer, and zeros.
  std::size_t slice() const { return slice_; }
  std::size_t slice_floats() const { return slice_floats_; }  // of a packed slice
  std::size_t packed_floats() const { return n_chunks(outputs_, slice_) * slice_floats_; }
  const dnnl::memory::desc& plain_slice() const { return plain_; }  // (inputs, slice), outputs outermost
  const dnnl::memory::desc& packed_slice() const { return packed_slice_; }
  const dnnl::reorder& pack() const { return pack_; }
  const dnnl::memory::desc& pack_scratch() const { return pack_scratch_; }
  std::size_t inputs() const { return inputs_; }
  std::size_t outputs() const { return outputs_; }

 private:
  void choose_layout();
  void choose_slice();
  dnnl::memory::desc matrix(std::size_t rows, std::size_t columns, dnnl::memory::format_tag layout) const;
  dnnl::matmul::primitive_desc describe(std::size_t rows, const dnnl::memory::desc& weights) const;
  std::size_t chunk_for(std::size_t rows) const;
  std::unique_ptr<const primitive> make(std::size_t rows) const;
  std::vector<float> run_probe(const primitive& product) const;
  bool passes_probe(const primitive& product) const;

  dnnl::engine engine_;
  std::size_t inputs_, outputs_, slice_ = 0, slice_floats_ = 0;
  precision weights_, held_;
  row_steps steps_;
  dnnl::memory::desc packed_, plain_, packed_slice_, pack_scratch_;
  dnnl::reorder pack_;
  bool needs_probe_ = false, rows_are_independent_ = true;
  std::vector<float> expected_;  // what every row of a probe must give
  mutable std::mutex making_;
  mutable std::vector<std::unique_ptr<const primitive>> made_;
  mutable std::array<std::atomic<const primitive*>, max_rows + 1> by_rows_{};  // into made_
};

// Shapes by (inputs, outputs, precision, steps), so that layers share primitives. Thread-safe.
class matmul_shapes {
 public:
  // weights: of shapes that are asked for without a precision.
  explicit matmul_shapes(precision weights) : engine_(dnnl::engine::kind::cpu, 0), weights_(weights) {}
  const matmul_shape& get(std::size_t inputs, std::size_t outputs, row_steps steps = row_steps::coarse) {
    return get(inputs, outputs, weights_, steps);
  }
  const matmul_shape& get(std::size_t inputs, std::size_t outputs, precision weights,
                          row_steps steps = row_steps::coarse);
  bool rows_are_independent() const;
  // How most of the weights are held: "bf16, packed by oneDNN".
  std::string form() const;

 private:
  dnnl::engine engine_;
  precision weights_;
  mutable std::mutex lock_;
  std::map<std::tuple<std::size_t, std::size_t, precision, row_steps>, std::unique_ptr<matmul_shape>> shapes_;
};

// One weight matrix, packed, in memory of its own or of others.
class packed_matrix {
 public:
  packed_matrix() = default;
  // Has no values before assign. `shape` must outlive it.
  explicit packed_matrix(const matmul_shape& shape) : shape_(&shape) {}
  // room: floats() floats on a cache line, which outlive it and hold its values from now on.
  void place(float* room) { data_ = room; }
  // weights (outputs, inputs) row-major, read during the call only. Takes memory of its own if it has no
  // place. Call within run_single_threaded (single_thread.hpp), as all that follows.
  void assign(const float* weights, workspace& scratch);
  // A slice alone: the outputs from number * slice on, weights (slice, inputs), of which what lies behind the
  // last output is not read. It has a place. Slices may be assigned at once.
  void assign_slice(std::size_t number, const float* weights, workspace& scratch);

  bool present() const { return shape_ != nullptr; }
  std::size_t inputs() const { return shape_->inputs(); }
  std::size_t outputs() const { return shape_->outputs(); }
  std::size_t slice() const { return shape_->slice(); }
  std::size_t floats() const { return shape_->packed_floats(); }
  std::size_t bytes() const { return floats() * sizeof(float); }

  // out (rows, outputs) = in (rows, inputs) * weights transposed. Rounded rows only where the weights are of
  // precision::bf16.
  void multiply(const input_rows& in, const float_rows& out, workspace& scratch) const;

 private:
  const void* as_held(const input_rows& in, workspace& scratch) const;
  void multiply_chunk(const input_rows& in, const float_rows& out, workspace& scratch) const;

  const matmul_shape* shape_ = nullptr;
  float_buffer own_;
  float* data_ = nullptr;
};

// "oneDNN 2.6.3 (AVX-512 ...)": what the bits of a product may depend on.
std::string matmul_description();

}  // namespace depthlens::cpu
