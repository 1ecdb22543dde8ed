// SPDX-License-Identifier: Apache-2.0
// A model's tensors, and what is done with one of them in double precision: products, norms, activations.
#pragma once

#include "depthlens/abi/backend.h"
#include "depthlens/backend/checked_architecture.hpp"
#include "depthlens/backend/weight_view.hpp"
#include "depthlens/base/abi_error.hpp"
#include "depthlens/base/error.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace depthlens::reference {

using row = std::vector<double>;

inline void add(row& h, const row& x, double times = 1) {
  for (std::size_t i = 0; i < h.size(); ++i) h[i] += times * x[i];
}

inline double soft_cap(double z, double cap) { return cap == 0 ? z : cap * std::tanh(z / cap); }
inline double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
inline double silu(double x) { return x * sigmoid(x); }

// exp(x - max) / sum, in place.
inline void softmax(row& x) {
  const double highest = *std::max_element(x.begin(), x.end());
  double sum = 0;
  for (double& w : x) sum += w = std::exp(w - highest);
  for (double& w : x) w /= sum;
}

// fn(begin, end) for parts that make up 0..n-1, in any order or at once.
using row_loop = std::function<void(std::size_t n, const std::function<void(std::size_t, std::size_t)>& fn)>;

// Whether the weights outlive what they came from. Where they do not, they are read from there row by row,
// each time: a block of a large model would take gigabytes.
enum class storage { copied, viewed };

// The ops that this reference computes: all of architecture.h.
inline constexpr std::string_view known_ops[] = {DLENS_OP_ATTENTION,
                                                 DLENS_OP_LATENT_ATTENTION,
                                                 DLENS_OP_DELTA_RULE,
                                                 DLENS_OP_DENSE,
                                                 DLENS_OP_EXPERTS,
                                                 DLENS_OP_SHARED_EXPERT,
                                                 DLENS_OP_ROUTER_SOFTMAX,
                                                 DLENS_OP_ROUTER_SIGMOID,
                                                 DLENS_OP_ROUTER_CHOSEN_SOFTMAX,
                                                 DLENS_OP_ROUTER_GROUPS,
                                                 DLENS_OP_ROUTER_CORRECTION,
                                                 DLENS_OP_EXPERT_NORMS,
                                                 DLENS_OP_WINDOW,
                                                 DLENS_OP_ROPE_HALF,
                                                 DLENS_OP_ROPE_INTERLEAVED,
                                                 DLENS_OP_ROPE_PART,
                                                 DLENS_OP_ROPE_SCALE,
                                                 DLENS_OP_ROPE_LONG,
                                                 DLENS_OP_ALIBI,
                                                 DLENS_OP_ALIBI_ROUNDED,
                                                 DLENS_OP_ATTENTION_SOFTCAP,
                                                 DLENS_OP_ATTENTION_SINKS,
                                                 DLENS_OP_ATTENTION_GATE,
                                                 DLENS_OP_ATTENTION_CLIP,
                                                 DLENS_OP_SHARED_KV,
                                                 DLENS_OP_HEAD_NORMS,
                                                 DLENS_OP_NORM_RMS,
                                                 DLENS_OP_NORM_LAYER,
                                                 DLENS_OP_NORM_OFFSET,
                                                 DLENS_OP_PRE_NORMS,
                                                 DLENS_OP_SOME_NORMS,
                                                 DLENS_OP_POST_NORMS,
                                                 DLENS_OP_SEQUENTIAL,
                                                 DLENS_OP_PARALLEL,
                                                 DLENS_OP_NORM_AFTER,
                                                 DLENS_OP_GATE,
                                                 DLENS_OP_NO_GATE,
                                                 DLENS_OP_SILU,
                                                 DLENS_OP_GELU,
                                                 DLENS_OP_GELU_TANH,
                                                 DLENS_OP_RELU,
                                                 DLENS_OP_CLAMPED,
                                                 DLENS_OP_BIAS,
                                                 DLENS_OP_UNEMBED_BIAS,
                                                 DLENS_OP_POSITIONS,
                                                 DLENS_OP_EMBED_SCALE,
                                                 DLENS_OP_EMBED_NORM,
                                                 DLENS_OP_EMBED_PROJECTION,
                                                 DLENS_OP_LAYER_INPUTS,
                                                 DLENS_OP_RESIDUAL_SCALE,
                                                 DLENS_OP_OUTPUT_SCALE,
                                                 DLENS_OP_FINAL_SOFTCAP,
                                                 DLENS_OP_NO_FINAL_NORM};

class weights {
 public:
  // over: the loop over the rows of large products; none: one thread. Errors: status::data for a tensor whose
  // bytes do not hold it; those of checked_architecture.
  explicit weights(const dlens_weights& from, storage kind = storage::copied, row_loop over = {})
      : arch_(checked_architecture(from, known_ops)), over_(std::move(over)) {
    for (std::uint64_t i = 0; i < from.n_tensors; ++i) {
      const dlens_tensor& t = *from.tensors[i];
      const std::string name(to_view(t.name));
      tensor& to = tensors_[name];
      to.view = checked_view(name, t, t.shape[0], t.n_dims == 2 ? t.shape[1] : 1);
      if (kind == storage::copied) to.own();
    }
  }

  const owned_architecture& arch() const { return arch_; }
  bool has(const std::string& name) const { return tensors_.contains(name); }
  std::size_t columns(const std::string& name) const { return tensors_.at(name).view.columns; }

  // All of a small one, row by row.
  row values(const std::string& name) const {
    const weight_view& w = tensors_.at(name).view;
    std::vector<float> out(w.rows * w.columns);
    w.read_rows(0, w.rows, out.data());
    return {out.begin(), out.end()};
  }
  row row_at(const std::string& name, std::size_t i) const {
    const weight_view& w = tensors_.at(name).view;
    if (i >= w.rows) fail(status::data, "tensor ", name, " has no row ", i, ": it has ", w.rows);
    std::vector<float> out(w.columns);
    w.read_rows(i, 1, out.data());
    return {out.begin(), out.end()};
  }

  // W x + bias, where there is one.
  row multiply(const std::string& name, const row& x) const {
    row out = each_row(name, [&](const float* w) {
      double sum = 0;
      for (std::size_t j = 0; j < x.size(); ++j) sum += static_cast<double>(w[j]) * x[j];
      return sum;
    });
    if (has(name + ".bias")) add(out, values(name + ".bias"));
    return out;
  }

  // How large the terms are of which W x is the sum: of each row the root of the sum of their squares.
  row product_sizes(const std::string& name, const row& x) const {
    return each_row(name, [&](const float* w) {
      double sum = 0;
      for (std::size_t j = 0; j < x.size(); ++j) sum += std::pow(static_cast<double>(w[j]) * x[j], 2);
      return std::sqrt(sum);
    });
  }

  // Over each stretch of x that is as long as the weight, or as a row of it where it is a matrix, whose rows
  // are then for one stretch each; x itself where there is no such norm.
  row norm(const std::string& name, row x) const { return norm(name, std::move(x), arch_.all.norm_eps); }
  row norm(const std::string& name, row x, double eps) const {
    return norm(name, std::move(x), eps, arch_.all.norm_kind, arch_.all.norm_offset);
  }
  // An RMS norm takes no mean off.
  row norm(const std::string& name, row x, double eps, std::uint32_t kind, double offset) const {
    if (!has(name)) return x;
    const row weight = values(name);
    const row bias = has(name + ".bias") ? values(name + ".bias") : row(weight.size(), 0.0);
    const std::size_t n = columns(name) > 1 ? columns(name) : weight.size();
    for (std::size_t begin = 0; begin < x.size(); begin += n) {
      const std::size_t own = begin % weight.size();
      double mean = 0, squares = 0;
      for (std::size_t i = 0; i < n; ++i) mean += x[begin + i] / static_cast<double>(n);
      if (kind == DLENS_NORM_RMS) mean = 0;
      for (std::size_t i = 0; i < n; ++i) squares += (x[begin + i] - mean) * (x[begin + i] - mean);
      const double scale = 1 / std::sqrt(squares / static_cast<double>(n) + eps);
      for (std::size_t i = 0; i < n; ++i)
        x[begin + i] = (x[begin + i] - mean) * scale * (weight[own + i] + offset) + bias[own + i];
    }
    return x;
  }

 private:
  // (rows, columns); a vector has one column.
  struct tensor {
    weight_view view;
    std::vector<float> floats;  // that it views, where it has its own

    void own() {
      floats.resize(view.rows * view.columns);
      view.read_rows(0, view.rows, floats.data());
      view = {.type = dtype::f32,
              .data = reinterpret_cast<const std::byte*>(floats.data()),
              .rows = view.rows,
              .columns = view.columns,
              .row_group = view.rows,
              .group_stride = view.rows,
              .row_stride = view.columns,
              .column_stride = 1};
    }
  };

  // fn(row) of each row. Some are read at a time, as columns that lie apart share what a read brings.
  template <class Function>
  row each_row(const std::string& name, const Function& fn) const {
    constexpr std::size_t some = 16, large = 1u << 18;
    const weight_view& w = tensors_.at(name).view;
    row out(w.rows, 0.0);
    const auto part = [&](std::size_t begin, std::size_t end) {
      std::vector<float> values(some * w.columns);
      for (std::size_t i = begin; i < end; i += some) {
        const std::size_t n = std::min(some, end - i);
        w.read_rows(i, n, values.data());
        for (std::size_t r = 0; r < n; ++r) out[i + r] = fn(values.data() + r * w.columns);
      }
    };
    if (over_ && w.rows * w.columns >= large) {
      over_(w.rows, part);
    } else {
      part(0, w.rows);
    }
    return out;
  }

  owned_architecture arch_;
  row_loop over_;
  std::map<std::string, tensor> tensors_;
};

}  // namespace depthlens::reference
