// SPDX-License-Identifier: Apache-2.0
// The gated delta rule of one block over one sequence, token by token: see abi/architecture.h. The state of a
// value head is a matrix (key_dim, value_dim).
#pragma once

#include "depthlens/reference/weights.hpp"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace depthlens::reference {

class delta_rule {
 public:
  delta_rule(const weights& w, std::uint32_t layer)
      : w_(w), r_(*w.arch().blocks[layer].delta), block_(cat("block.", layer, ".")) {}

  // W_o of the output of all heads at each position from `first` on.
  std::vector<row> outputs(const std::vector<row>& x, std::size_t first) const {
    std::vector<row> channels, out;
    std::vector<row> states(r_.n_value_heads, row(std::size_t{r_.key_dim} * r_.value_dim, 0.0));
    for (std::size_t p = 0; p < x.size(); ++p) {
      row in;
      for (const char* part : {"delta_q", "delta_k", "delta_v"})
        for (const double value : w_.multiply(block_ + part, x[p])) in.push_back(value);
      channels.push_back(std::move(in));
      const row mixed = step(x[p], convolved(channels, p), states);
      if (p >= first) out.push_back(output(x[p], mixed));
    }
    return out;
  }

 private:
  // Of each channel its last conv_width values; before the first token they are 0.
  row convolved(const std::vector<row>& channels, std::size_t p) const {
    const row conv = w_.values(block_ + "delta_conv");
    row out(channels[p].size(), 0.0);
    for (std::size_t c = 0; c < out.size(); ++c) {
      for (std::size_t i = 0; i < r_.conv_width && i <= p; ++i)
        out[c] += conv[c * r_.conv_width + (r_.conv_width - 1 - i)] * channels[p - i][c];
      out[c] = silu(out[c]);
    }
    return out;
  }

  row step(const row& x, const row& qkv, std::vector<row>& states) const {
    const row beta = w_.multiply(block_ + "delta_beta", x), step = w_.multiply(block_ + "delta_step", x);
    const row bias = w_.values(block_ + "step_bias"), decay = w_.values(block_ + "decay");
    row mixed(std::size_t{r_.n_value_heads} * r_.value_dim, 0.0);
    for (std::size_t head = 0; head < r_.n_value_heads; ++head) {
      const double raw = step[head] + bias[head];
      const double softplus = raw > 20 ? raw : std::log1p(std::exp(raw));
      const double g = std::exp(decay[head] * softplus);
      step_head(head, g, sigmoid(beta[head]), qkv, states[head], mixed);
    }
    return mixed;
  }

  row output(const row& x, row mixed) const {
    mixed = w_.norm(block_ + "delta_norm", std::move(mixed), w_.arch().all.norm_eps, DLENS_NORM_RMS, 0);
    const row gate = w_.multiply(block_ + "delta_gate", x);
    for (std::size_t i = 0; i < mixed.size(); ++i) mixed[i] *= silu(gate[i]);
    return w_.multiply(block_ + "o", mixed);
  }

  // s (key_dim, value_dim) changes; the head's part of `mixed` is what it gives.
  void step_head(std::size_t head, double g, double beta, const row& qkv, row& s, row& mixed) const {
    const std::size_t kd = r_.key_dim, vd = r_.value_dim, keys = r_.n_key_heads * kd;
    const std::size_t shared = head / (r_.n_value_heads / r_.n_key_heads);
    const row q = unit(qkv, shared * kd, 1 / std::sqrt(static_cast<double>(kd)));
    const row k = unit(qkv, keys + shared * kd, 1);
    for (double& value : s) value *= g;
    for (std::size_t j = 0; j < vd; ++j) {
      double known = 0;
      for (std::size_t i = 0; i < kd; ++i) known += s[i * vd + j] * k[i];
      const double change = beta * (qkv[2 * keys + head * vd + j] - known);
      for (std::size_t i = 0; i < kd; ++i) mixed[head * vd + j] += (s[i * vd + j] += k[i] * change) * q[i];
    }
  }

  // key_dim values of x from `begin` on, of length `length`.
  row unit(const row& x, std::size_t begin, double length) const {
    row out(x.begin() + static_cast<std::ptrdiff_t>(begin),
            x.begin() + static_cast<std::ptrdiff_t>(begin + r_.key_dim));
    double squares = 0;
    for (const double value : out) squares += value * value;
    for (double& value : out) value *= length / std::sqrt(squares + 1e-6);
    return out;
  }

  const weights& w_;
  const dlens_delta_rule& r_;
  const std::string block_;
};

}  // namespace depthlens::reference
