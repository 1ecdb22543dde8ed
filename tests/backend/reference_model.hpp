// SPDX-License-Identifier: Apache-2.0
// The model and the lens readings written down plainly, in double precision and one sequence at a time: what
// backends are compared with.
#pragma once

#include "backend_plugin.hpp"
#include "random_model.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

namespace depthlens::testing {

using row = std::vector<double>;

class reference_model {
 public:
  explicit reference_model(const random_model& weights) : w_(weights), s_(weights.shape) {}

  // The residual stream [layer 0..n][position], each (D).
  std::vector<std::vector<row>> residuals(const std::vector<std::int32_t>& ids) const {
    std::vector<row> h;
    for (const std::int32_t id : ids) {
      row& x = h.emplace_back(row_of("embed", static_cast<std::size_t>(id)));
      for (double& v : x) v *= s_.embed_scale;
      if (has("position")) add(x, row_of("position", h.size() - 1 + s_.position_offset));
    }
    std::vector<std::vector<row>> out{h};
    for (std::uint32_t layer = 0; layer < s_.layers; ++layer) {
      run_block(layer, h);
      out.push_back(h);
    }
    return out;
  }

  // Logits (V) of a residual row carried by a transport.
  row logits(const row& h, const transport_spec& t) const {
    row x(s_.width, 0.0);
    for (std::size_t i = 0; i < x.size(); ++i) {
      for (std::size_t j = 0; j < x.size() && !t.a.empty(); ++j)
        x[i] += static_cast<double>(t.a[i * x.size() + j]) * h[j];
      if (!t.b.empty()) x[i] += static_cast<double>(t.b[i]);
      if (t.form == DLENS_TRANSPORT_IDENTITY || t.form == DLENS_TRANSPORT_RESIDUAL) x[i] += h[i];
    }
    row out = multiply("unembed", norm("final_norm", x));
    for (double& z : out) z = softcap(z, s_.final_softcap);
    return out;
  }

 private:
  row row_of(const std::string& name, std::size_t i) const {
    const matrix& m = w_.at(name);
    const float* begin = m.values.data() + i * m.columns;
    return row(begin, begin + m.columns);
  }

  row multiply(const std::string& name, const row& x) const {
    const matrix& m = w_.at(name);
    row out(m.rows, 0.0);
    for (std::size_t i = 0; i < m.rows; ++i) {
      for (std::size_t j = 0; j < m.columns; ++j)
        out[i] += static_cast<double>(m.values[i * m.columns + j]) * x[j];
    }
    const auto bias = w_.tensors.find(name + ".bias");
    for (std::size_t i = 0; i < m.rows && bias != w_.tensors.end(); ++i) {
      out[i] += static_cast<double>(bias->second.values[i]);
    }
    return out;
  }

  bool has(const std::string& name) const { return w_.tensors.contains(name); }

  // A norm over each stretch of x that is as long as its weight; x itself where there is no such norm.
  row norm(const std::string& name, row x) const {
    if (!has(name)) return x;
    const row weight = row_of(name, 0);
    const row bias = has(name + ".bias") ? row_of(name + ".bias", 0) : row(weight.size(), 0.0);
    for (std::size_t begin = 0; begin < x.size(); begin += weight.size()) {
      const auto n = static_cast<double>(weight.size());
      double mean = 0, squares = 0;
      for (std::size_t i = 0; i < weight.size(); ++i) mean += x[begin + i] / n;
      if (s_.norm_kind == DLENS_NORM_RMS) mean = 0;
      for (std::size_t i = 0; i < weight.size(); ++i)
        squares += (x[begin + i] - mean) * (x[begin + i] - mean);
      const double scale = 1 / std::sqrt(squares / n + 1e-5);
      for (std::size_t i = 0; i < weight.size(); ++i) {
        x[begin + i] = (x[begin + i] - mean) * scale * (weight[i] + s_.norm_offset) + bias[i];
      }
    }
    return x;
  }

  double activate(double x) const {
    switch (s_.activation) {
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

  static double softcap(double x, double cap) { return cap == 0 ? x : cap * std::tanh(x / cap); }

  std::size_t window(std::uint32_t layer) const { return s_.windows.empty() ? 0 : s_.windows[layer]; }

  void turn(row& x, std::uint32_t heads, std::size_t position, std::uint32_t layer) const {
    const bool local = window(layer) != 0 && s_.local_rope;
    const auto& frequency = local ? w_.local_inverse_frequency : w_.inverse_frequency;
    const std::size_t half = s_.rope_dims / 2;
    const double scale = local ? 1 : s_.rope_scale;
    for (std::size_t head = 0; head < heads; ++head) {
      for (std::size_t i = 0; i < half; ++i) {
        const bool interleaved = s_.rope_kind == DLENS_ROPE_INTERLEAVED;
        double& a = x[head * s_.head_dim + (interleaved ? 2 * i : i)];
        double& b = x[head * s_.head_dim + (interleaved ? 2 * i + 1 : i + half)];
        const auto angle = static_cast<double>(static_cast<float>(position) * frequency[i]);
        const double turned = a * std::cos(angle) - b * std::sin(angle);
        b = scale * (b * std::cos(angle) + a * std::sin(angle));
        a = scale * turned;
      }
    }
  }

  row feed_forward(const std::string& at, const row& x) const {
    row inner = multiply(at + (s_.gated ? "gate" : "up"), x);
    for (double& v : inner) v = activate(v);
    if (s_.gated) {
      const row up = multiply(at + "up", x);
      for (std::size_t i = 0; i < inner.size(); ++i) inner[i] *= up[i];
    }
    return norm(at + "ffn_post_norm", multiply(at + "down", inner));
  }

  void run_block(std::uint32_t layer, std::vector<row>& h) const {
    const std::string at = cat("block.", layer, ".");
    std::vector<row> x, q, k, v;
    for (std::size_t t = 0; t < h.size(); ++t) {
      x.push_back(norm(at + "attn_norm", h[t]));
      q.push_back(norm(at + "q_norm", multiply(at + "q", x[t])));
      k.push_back(norm(at + "k_norm", multiply(at + "k", x[t])));
      v.push_back(multiply(at + "v", x[t]));
      turn(q[t], s_.heads, t, layer);
      turn(k[t], s_.kv_heads, t, layer);
    }
    for (std::size_t t = 0; t < h.size(); ++t) {
      const bool parallel = s_.block_form == DLENS_BLOCK_PARALLEL;
      const row before = parallel ? has(at + "ffn_norm") ? norm(at + "ffn_norm", h[t]) : x[t] : row{};
      add(h[t], norm(at + "attn_post_norm", multiply(at + "o", attend(q[t], k, v, t, layer))));
      add(h[t], feed_forward(at, parallel ? before : norm(at + "ffn_norm", h[t])));
    }
  }

  row attend(const row& q, const std::vector<row>& k, const std::vector<row>& v, std::size_t last,
             std::uint32_t layer) const {
    const std::size_t first = window(layer) != 0 && last + 1 > window(layer) ? last + 1 - window(layer) : 0;
    row out(q.size(), 0.0);
    for (std::size_t head = 0; head < s_.heads; ++head) {
      const std::size_t mine = head * s_.head_dim, theirs = head / (s_.heads / s_.kv_heads) * s_.head_dim;
      row weight;
      for (std::size_t p = first; p <= last; ++p) {
        double score = 0;
        for (std::size_t d = 0; d < s_.head_dim; ++d) score += q[mine + d] * k[p][theirs + d];
        weight.push_back(softcap(score * w_.attention_scale(), s_.attention_softcap));
      }
      const double highest = *std::max_element(weight.begin(), weight.end());
      double sum = 0;
      for (double& w : weight) sum += w = std::exp(w - highest);
      for (std::size_t p = first; p <= last; ++p) {
        for (std::size_t d = 0; d < s_.head_dim; ++d)
          out[mine + d] += weight[p - first] / sum * v[p][theirs + d];
      }
    }
    return out;
  }

  static void add(row& h, const row& x) {
    for (std::size_t i = 0; i < h.size(); ++i) h[i] += x[i];
  }

  const random_model& w_;
  const model_shape& s_;
};

// Measures of one row of logits.
struct reference_reading {
  explicit reference_reading(row z) : logits(std::move(z)) {
    const double highest = *std::max_element(logits.begin(), logits.end());
    double sum = 0;
    for (const double x : logits) sum += std::exp(x - highest);
    log_sum = highest + std::log(sum);
    for (const double x : logits) entropy -= std::exp(x - log_sum) * (x - log_sum);
  }
  double logprob(std::int32_t id) const { return logits[static_cast<std::size_t>(id)] - log_sum; }
  double kl_from(const reference_reading& last) const {
    double kl = 0;
    for (std::size_t i = 0; i < logits.size(); ++i) {
      const double p = last.logits[i] - last.log_sum;
      kl += std::exp(p) * (p - (logits[i] - log_sum));
    }
    return kl;
  }
  // 1 + the number of logits larger by more than `margin`: with a margin above 0 the smallest rank, below 0
  // the largest rank that rounding can make of it.
  std::uint32_t rank(std::int32_t id, double margin) const {
    const double own = logits[static_cast<std::size_t>(id)];
    std::uint32_t above = 0;
    for (std::size_t i = 0; i < logits.size(); ++i) {
      above += static_cast<std::int32_t>(i) != id && logits[i] > own + margin ? 1u : 0u;
    }
    return above + 1;
  }
  std::int32_t best() const {
    return static_cast<std::int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
  }

  row logits;
  double log_sum = 0, entropy = 0;
};

}  // namespace depthlens::testing
