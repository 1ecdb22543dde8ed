// SPDX-License-Identifier: Apache-2.0
// A model's tensors in double precision, and what is done with one of them: products, norms, activations.
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
#include <map>
#include <span>
#include <string>
#include <string_view>
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

// (rows, columns) row-major; a vector has one column.
struct tensor {
  std::size_t rows = 0, columns = 0;
  row values;

  row at(std::size_t i) const {
    const auto begin = values.begin() + static_cast<std::ptrdiff_t>(i * columns);
    return row(begin, begin + static_cast<std::ptrdiff_t>(columns));
  }
};

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
  // Copies the weights. Errors: status::data for a tensor whose bytes do not hold it; those of
  // checked_architecture.
  explicit weights(const dlens_weights& from) : arch_(checked_architecture(from, known_ops)) {
    for (std::uint64_t i = 0; i < from.n_tensors; ++i) {
      const dlens_tensor& t = *from.tensors[i];
      const std::string name(to_view(t.name));
      const std::size_t rows = t.shape[0], columns = t.n_dims == 2 ? t.shape[1] : 1;
      std::vector<float> values(rows * columns);
      checked_view(name, t, rows, columns).read_rows(0, rows, values.data());
      tensors_[name] = {rows, columns, {values.begin(), values.end()}};
    }
  }

  const owned_architecture& arch() const { return arch_; }
  bool has(const std::string& name) const { return tensors_.contains(name); }
  const tensor& at(const std::string& name) const { return tensors_.at(name); }

  // W x + bias, where there is one.
  row multiply(const std::string& name, const row& x) const {
    const tensor& w = at(name);
    row out(w.rows, 0.0);
    for (std::size_t i = 0; i < w.rows; ++i)
      for (std::size_t j = 0; j < w.columns; ++j) out[i] += w.values[i * w.columns + j] * x[j];
    if (has(name + ".bias")) add(out, at(name + ".bias").values);
    return out;
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
    const row& weight = at(name).values;
    const row bias = has(name + ".bias") ? at(name + ".bias").values : row(weight.size(), 0.0);
    const std::size_t n = at(name).columns > 1 ? at(name).columns : weight.size();
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
  owned_architecture arch_;
  std::map<std::string, tensor> tensors_;
};

}  // namespace depthlens::reference
