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
    for (const std::int32_t id : ids) h.push_back(row_of("embed", static_cast<std::size_t>(id)));
    std::vector<std::vector<row>> out{h};
    for (std::uint32_t layer = 0; layer < s_.layers; ++layer) {
      run_block(cat("block.", layer, "."), h);
      out.push_back(h);
    }
    return out;
  }

  // softcap-free logits (V) of a residual row carried by a transport.
  row logits(const row& h, const transport_spec& t) const {
    row x(s_.width, 0.0);
    for (std::size_t i = 0; i < x.size(); ++i) {
      for (std::size_t j = 0; j < x.size() && !t.a.empty(); ++j)
        x[i] += static_cast<double>(t.a[i * x.size() + j]) * h[j];
      if (!t.b.empty()) x[i] += static_cast<double>(t.b[i]);
      if (t.form == DLENS_TRANSPORT_IDENTITY || t.form == DLENS_TRANSPORT_RESIDUAL) x[i] += h[i];
    }
    return multiply("unembed", norm("final_norm", x));
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

  row norm(const std::string& name, const row& x) const {
    double squares = 0;
    for (const double v : x) squares += v * v;
    const double scale = 1 / std::sqrt(squares / static_cast<double>(x.size()) + 1e-5);
    row out = row_of(name, 0);
    for (std::size_t i = 0; i < x.size(); ++i) out[i] *= x[i] * scale;
    return out;
  }

  void turn(row& x, std::uint32_t heads, std::size_t position) const {
    const std::size_t half = s_.rope_dims / 2;
    for (std::size_t head = 0; head < heads; ++head) {
      for (std::size_t i = 0; i < half; ++i) {
        const bool interleaved = s_.rope_kind == DLENS_ROPE_INTERLEAVED;
        double& a = x[head * s_.head_dim + (interleaved ? 2 * i : i)];
        double& b = x[head * s_.head_dim + (interleaved ? 2 * i + 1 : i + half)];
        const double angle = static_cast<double>(position) * static_cast<double>(w_.inverse_frequency[i]);
        const double turned = a * std::cos(angle) - b * std::sin(angle);
        b = b * std::cos(angle) + a * std::sin(angle);
        a = turned;
      }
    }
  }

  void run_block(const std::string& at, std::vector<row>& h) const {
    std::vector<row> q, k, v;
    for (std::size_t t = 0; t < h.size(); ++t) {
      const row x = norm(at + "attn_norm", h[t]);
      q.push_back(multiply(at + "q", x));
      k.push_back(multiply(at + "k", x));
      v.push_back(multiply(at + "v", x));
      turn(q[t], s_.heads, t);
      turn(k[t], s_.kv_heads, t);
    }
    for (std::size_t t = 0; t < h.size(); ++t) {
      add(h[t], multiply(at + "o", attend(q[t], k, v, t)));
      const row x = norm(at + "ffn_norm", h[t]);
      row gate = multiply(at + "gate", x);
      const row up = multiply(at + "up", x);
      for (std::size_t i = 0; i < gate.size(); ++i) gate[i] *= up[i] / (1 + std::exp(-gate[i]));
      add(h[t], multiply(at + "down", gate));
    }
  }

  row attend(const row& q, const std::vector<row>& k, const std::vector<row>& v, std::size_t last) const {
    row out(q.size(), 0.0);
    for (std::size_t head = 0; head < s_.heads; ++head) {
      const std::size_t mine = head * s_.head_dim, theirs = head / (s_.heads / s_.kv_heads) * s_.head_dim;
      row weight(last + 1, 0.0);
      for (std::size_t p = 0; p <= last; ++p) {
        for (std::size_t d = 0; d < s_.head_dim; ++d) weight[p] += q[mine + d] * k[p][theirs + d];
        weight[p] /= std::sqrt(static_cast<double>(s_.head_dim));
      }
      const double highest = *std::max_element(weight.begin(), weight.end());
      double sum = 0;
      for (double& x : weight) sum += x = std::exp(x - highest);
      for (std::size_t p = 0; p <= last; ++p) {
        for (std::size_t d = 0; d < s_.head_dim; ++d) out[mine + d] += weight[p] / sum * v[p][theirs + d];
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
