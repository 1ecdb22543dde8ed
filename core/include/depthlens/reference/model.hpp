// SPDX-License-Identifier: Apache-2.0
// The place to read first: the forward pass and the readout of a lens, written down plainly, in double
// precision, one sequence and one position after the other. No run uses it; tests/backend and
// depthlens plugins check compare backends with it. h (D) is the residual stream at a position; the last
// columns say where it is done fast.
//
//   here          formula                                     plugins/cpu             plugins/torch
//   embed         h = E[id] scale + P[position]               pass.cpp embed          model.cpp embed
//   run_block     h += attention(h); h += feed_forward(h) [1] block.cpp run_block     model.cpp run_block
//   norm          (x - mean) / sqrt(var + eps) weight + bias  kernels/norm.hpp        weights.cpp apply
//   q, k          turn(norm(W x + bias)), x = norm(h)         block.cpp project       model.cpp attention
//   v             W x + bias: not normed, not turned          block.cpp project       model.cpp attention
//   turn          (a cos - b sin, b cos + a sin)              kernels/rotary.hpp      model.cpp turn
//   attend        softmax(scale q k) v over the past          attention.cpp           attention.cpp
//   feed_forward  W_down (activation(W_gate x) * W_up x) [2]  block.cpp inner_values  model.cpp
//   logits        cap(U norm(t(h)) + bias) [3]                readout_stack.cpp       readout_stack.cpp
//   reading.hpp   rank, logprob, entropy, KL                  kernels/reduce.hpp      reduce.hpp
//
// [1] In a parallel block both see the h that entered it, and feed_forward takes the x of attention where it
//     has no norm of its own. What either gives is normed once more where the model has a norm for that.
// [2] x = norm(h); W_down activation(W_up x) where there is no gate; biases where the model has some.
// [3] t(h), the transport of the lens, is h, h + A h + b, A h + b or b: DLENS_TRANSPORT_... of abi/backend.h.
//
// The backends differ in order alone: tokens of many sequences that begin alike are computed once, as a tree
// (depthlens/backend/token_tree.hpp), and logits are reduced tile by tile, so that no row of them is kept.
#pragma once

#include "depthlens/abi/backend.h"
#include "depthlens/backend/checked_architecture.hpp"
#include "depthlens/backend/weight_view.hpp"
#include "depthlens/base/abi_error.hpp"
#include "depthlens/base/error.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace depthlens::reference {

using row = std::vector<double>;

// One thread.
class model {
 public:
  // Copies the weights. Errors: status::data for a tensor whose bytes do not hold it; those of
  // checked_architecture.
  explicit model(const dlens_weights& weights)
      : arch_(checked_architecture(weights)), tables_(own_tables(arch_)) {
    for (std::uint64_t i = 0; i < weights.n_tensors; ++i) {
      const dlens_tensor& t = *weights.tensors[i];
      const std::string name(to_view(t.name));
      const std::size_t rows = t.shape[0], columns = t.n_dims == 2 ? t.shape[1] : 1;
      std::vector<float> values(rows * columns);
      checked_view(name, t, rows, columns).read_rows(0, rows, values.data());
      tensors_[name] = {rows, columns, {values.begin(), values.end()}};
    }
  }

  // The residual stream of a sequence, [layer 0..n][position], each (D): layer i enters block i.
  std::vector<std::vector<row>> residuals(const std::vector<std::int32_t>& ids) const {
    std::vector<row> h;
    for (std::size_t p = 0; p < ids.size(); ++p) h.push_back(embed(static_cast<std::size_t>(ids[p]), p));
    std::vector<std::vector<row>> layers{h};
    for (std::uint32_t layer = 0; layer < arch_.n_layers; ++layer) {
      run_block(layer, h);
      layers.push_back(h);
    }
    return layers;
  }

  // Logits (V) that a lens with this transport reads from a row (D) of the residual stream.
  row logits(const row& h, const dlens_transport& t) const {
    const bool adds_h = t.form == DLENS_TRANSPORT_IDENTITY || t.form == DLENS_TRANSPORT_RESIDUAL;
    row carried(h.size(), 0.0);
    for (std::size_t i = 0; i < h.size(); ++i) {
      for (std::size_t j = 0; j < h.size() && t.a; ++j)
        carried[i] += static_cast<double>(t.a[i * h.size() + j]) * h[j];
      if (t.b) carried[i] += static_cast<double>(t.b[i]);
      if (adds_h) carried[i] += h[i];
    }
    row out = multiply("unembed", norm("final_norm", carried));
    for (double& z : out) z = soft_cap(z, arch_.final_softcap);
    return out;
  }

 private:
  // (rows, columns) row-major; a vector has one column.
  struct tensor {
    std::size_t rows = 0, columns = 0;
    row values;

    row at(std::size_t i) const {
      const auto begin = values.begin() + static_cast<std::ptrdiff_t>(i * columns);
      return row(begin, begin + static_cast<std::ptrdiff_t>(columns));
    }
  };

  row embed(std::size_t id, std::size_t position) const {
    row h = tensors_.at("embed").at(id);
    for (double& x : h) x *= arch_.embed_scale;
    if (has("position")) add(h, tensors_.at("position").at(position + arch_.position_offset));
    return h;
  }

  // h, of all positions, becomes what leaves the block.
  void run_block(std::uint32_t layer, std::vector<row>& h) const {
    const std::string block = cat("block.", layer, ".");
    std::vector<row> x, q, k, v;
    for (std::size_t p = 0; p < h.size(); ++p) {
      x.push_back(norm(block + "attn_norm", h[p]));
      q.push_back(turn(norm(block + "q_norm", multiply(block + "q", x[p])), p, layer));
      k.push_back(turn(norm(block + "k_norm", multiply(block + "k", x[p])), p, layer));
      v.push_back(multiply(block + "v", x[p]));
    }
    for (std::size_t p = 0; p < h.size(); ++p) {
      const row entered = h[p];
      add(h[p], norm(block + "attn_post_norm", multiply(block + "o", attend(q[p], k, v, p, layer))));
      if (arch_.block_form == DLENS_BLOCK_PARALLEL) {
        // Both halves see what entered the block; without a norm of its own the second takes the first's x.
        add(h[p], feed_forward(block, has(block + "ffn_norm") ? norm(block + "ffn_norm", entered) : x[p]));
      } else {
        add(h[p], feed_forward(block, norm(block + "ffn_norm", h[p])));
      }
    }
  }

  // The output of all heads (H * head_dim) at `position`: weights softmax(cap(q k scale)) of the values at
  // this position and those before it, within the layer's window. Heads share keys and values in groups.
  row attend(const row& q, const std::vector<row>& k, const std::vector<row>& v, std::size_t position,
             std::uint32_t layer) const {
    const std::size_t window = tables_.window(layer), head_dim = arch_.head_dim;
    const std::size_t first = window != 0 && position + 1 > window ? position + 1 - window : 0;
    const std::size_t group = arch_.n_heads / arch_.n_kv_heads;
    row out(q.size(), 0.0);
    for (std::size_t head = 0; head < arch_.n_heads; ++head) {
      const std::size_t mine = head * head_dim, theirs = head / group * head_dim;
      row weight;
      for (std::size_t p = first; p <= position; ++p) {
        double score = 0;
        for (std::size_t d = 0; d < head_dim; ++d) score += q[mine + d] * k[p][theirs + d];
        weight.push_back(soft_cap(score * arch_.attention_scale, arch_.attention_softcap));
      }
      const double highest = *std::max_element(weight.begin(), weight.end());
      double sum = 0;
      for (double& w : weight) sum += w = std::exp(w - highest);
      for (std::size_t p = first; p <= position; ++p)
        for (std::size_t d = 0; d < head_dim; ++d)
          out[mine + d] += weight[p - first] / sum * v[p][theirs + d];
    }
    return out;
  }

  row feed_forward(const std::string& block, const row& x) const {
    const bool gated = has(block + "gate");
    row inner = multiply(block + (gated ? "gate" : "up"), x);
    for (double& a : inner) a = activate(a);
    if (gated) {
      const row up = multiply(block + "up", x);
      for (std::size_t i = 0; i < inner.size(); ++i) inner[i] *= up[i];
    }
    return norm(block + "ffn_post_norm", multiply(block + "down", inner));
  }

  // W x + bias, where there is one.
  row multiply(const std::string& name, const row& x) const {
    const tensor& w = tensors_.at(name);
    row out(w.rows, 0.0);
    for (std::size_t i = 0; i < w.rows; ++i)
      for (std::size_t j = 0; j < w.columns; ++j) out[i] += w.values[i * w.columns + j] * x[j];
    if (has(name + ".bias")) add(out, tensors_.at(name + ".bias").values);
    return out;
  }

  // Over each stretch of x that is as long as the weight; x itself where there is no such norm. An RMS norm
  // takes no mean off.
  row norm(const std::string& name, row x) const {
    if (!has(name)) return x;
    const row& weight = tensors_.at(name).values;
    const row bias = has(name + ".bias") ? tensors_.at(name + ".bias").values : row(weight.size(), 0.0);
    const auto n = static_cast<double>(weight.size());
    for (std::size_t begin = 0; begin < x.size(); begin += weight.size()) {
      double mean = 0, squares = 0;
      for (std::size_t i = 0; i < weight.size(); ++i) mean += x[begin + i] / n;
      if (arch_.norm_kind == DLENS_NORM_RMS) mean = 0;
      for (std::size_t i = 0; i < weight.size(); ++i)
        squares += (x[begin + i] - mean) * (x[begin + i] - mean);
      const double scale = 1 / std::sqrt(squares / n + arch_.norm_eps);
      for (std::size_t i = 0; i < weight.size(); ++i)
        x[begin + i] = (x[begin + i] - mean) * scale * (weight[i] + arch_.norm_offset) + bias[i];
    }
    return x;
  }

  // The first rope_dims values of each head, pair by pair, turned by position * frequency: an angle in
  // float32, as models are trained.
  row turn(row x, std::size_t position, std::uint32_t layer) const {
    const bool local = tables_.window(layer) != 0 && !tables_.local_inverse_frequency.empty();
    const std::vector<float>& frequency = local ? tables_.local_inverse_frequency : tables_.inverse_frequency;
    const bool interleaved = arch_.rope_kind == DLENS_ROPE_INTERLEAVED;
    const double scale = local ? 1 : arch_.rope_scale;
    const std::size_t half = arch_.rope_dims / 2;
    for (std::size_t head = 0; head < x.size(); head += arch_.head_dim) {
      for (std::size_t i = 0; i < half; ++i) {
        double& a = x[head + (interleaved ? 2 * i : i)];
        double& b = x[head + (interleaved ? 2 * i + 1 : i + half)];
        const auto angle = static_cast<double>(static_cast<float>(position) * frequency[i]);
        const double turned = a * std::cos(angle) - b * std::sin(angle);
        b = scale * (b * std::cos(angle) + a * std::sin(angle));
        a = scale * turned;
      }
    }
    return x;
  }

  double activate(double x) const {
    switch (arch_.activation) {
      case DLENS_ACTIVATION_SILU:
        return x / (1 + std::exp(-x));
      case DLENS_ACTIVATION_GELU:
        return x * (1 + std::erf(x / std::sqrt(2.0))) / 2;
      case DLENS_ACTIVATION_GELU_TANH:
        return x * (1 + std::tanh(std::sqrt(2 / std::acos(-1.0)) * (x + 0.044715 * x * x * x))) / 2;
      default:
        return std::max(x, 0.0);
    }
  }

  static double soft_cap(double z, double cap) { return cap == 0 ? z : cap * std::tanh(z / cap); }

  static void add(row& h, const row& x) {
    for (std::size_t i = 0; i < h.size(); ++i) h[i] += x[i];
  }

  bool has(const std::string& name) const { return tensors_.contains(name); }

  dlens_architecture arch_;
  architecture_tables tables_;
  std::map<std::string, tensor> tensors_;
};

}  // namespace depthlens::reference
