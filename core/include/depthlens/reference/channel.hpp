// SPDX-License-Identifier: Apache-2.0
// The channel part of one block, for one position: dense, experts, or both; see abi/architecture.h.
#pragma once

#include "depthlens/reference/weights.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <string>
#include <vector>

namespace depthlens::reference {

// What a router gave at one position: the experts by number, and their weights.
struct chosen_experts {
  std::vector<std::size_t> ids;
  row weights;
  double entropy = 0;  // nats, of the scores of all experts, divided by their sum
};

inline double activate(double x, std::uint32_t kind) {
  switch (kind) {
    case DLENS_ACTIVATION_SILU:
      return silu(x);
    case DLENS_ACTIVATION_GELU:
      return x * (1 + std::erf(x / std::sqrt(2.0))) / 2;
    case DLENS_ACTIVATION_GELU_TANH:
      return x * (1 + std::tanh(std::sqrt(2 / std::acos(-1.0)) * (x + 0.044715 * x * x * x))) / 2;
    default:
      return std::max(x, 0.0);
  }
}

class channel {
 public:
  channel(const weights& w, std::uint32_t layer)
      : w_(w), shape_(w.arch().blocks[layer]), block_(cat("block.", layer, ".")) {}

  // h: what entered this part of the block; x: its norm.
  row output(const row& h, const row& x) const {
    row out(h.size(), 0.0);
    if (shape_.form.d_ff > 0) add(out, w_.norm(block_ + "dense_post_norm", dense({"gate", "up", "down"}, x)));
    if (shape_.experts) add(out, experts(h, x));
    return w_.norm(block_ + "ffn_post_norm", out);
  }

  // Ties go to the smaller number.
  chosen_experts choose(const row& h, const row& x) const {
    const dlens_experts& e = *shape_.experts;
    const bool normed = w_.has(block_ + "router_norm");
    row score = w_.multiply(block_ + "router", normed ? w_.norm(block_ + "router_norm", h) : x);
    if (e.router == DLENS_ROUTER_SOFTMAX) softmax(score);
    for (double& s : score)
      if (e.router == DLENS_ROUTER_SIGMOID) s = sigmoid(s);
    chosen_experts out;
    out.entropy = entropy_of(score);
    row rank_by = score;
    if (w_.has(block_ + "router_correction")) add(rank_by, w_.at(block_ + "router_correction").values);
    keep_best_groups(rank_by);
    out.ids = best(rank_by, e.n_used);
    for (const std::size_t id : out.ids) out.weights.push_back(score[id]);
    if (e.router == DLENS_ROUTER_CHOSEN_SOFTMAX) softmax(out.weights);
    const double sum = std::accumulate(out.weights.begin(), out.weights.end(), 0.0);
    for (std::size_t i = 0; i < out.ids.size(); ++i) {
      if (e.normalised) out.weights[i] /= sum;
      out.weights[i] *= e.scale;
      if (w_.has(block_ + "expert_scale"))
        out.weights[i] *= w_.at(block_ + "expert_scale").values[out.ids[i]];
    }
    return out;
  }

 private:
  struct names {
    const char *gate, *up, *down;
  };
  row dense(const names& part, const row& x, const std::string& before = "") const {
    const dlens_block& form = shape_.form;
    const std::string at = block_ + before;
    const bool gated = w_.has(at + part.gate);
    row inner = w_.multiply(at + (gated ? part.gate : part.up), x);
    const row up = gated ? w_.multiply(at + part.up, x) : row(inner.size(), 1.0);
    for (std::size_t i = 0; i < inner.size(); ++i) {
      if (form.activation == DLENS_ACTIVATION_CLAMPED) {
        const double limit = form.activation_limit, g = std::min(inner[i], limit);
        inner[i] = g * sigmoid(form.activation_alpha * g) * (std::clamp(up[i], -limit, limit) + 1);
      } else {
        inner[i] = activate(inner[i], form.activation) * up[i];
      }
    }
    return w_.multiply(at + part.down, inner);
  }

  row experts(const row& h, const row& x) const {
    const chosen_experts chosen = choose(h, x);
    const row seen = w_.has(block_ + "expert_norm") ? w_.norm(block_ + "expert_norm", h) : x;
    row out(h.size(), 0.0);
    for (std::size_t i = 0; i < chosen.ids.size(); ++i)
      add(out, dense({"gate", "up", "down"}, seen, cat("expert.", chosen.ids[i], ".")), chosen.weights[i]);
    out = w_.norm(block_ + "expert_post_norm", out);
    if (shape_.experts->d_shared == 0) return out;
    const bool gated = w_.has(block_ + "shared_router");
    add(out, dense({"shared_gate", "shared_up", "shared_down"}, x),
        gated ? sigmoid(w_.multiply(block_ + "shared_router", x)[0]) : 1);
    return out;
  }

  // Experts of other groups can no longer be chosen.
  void keep_best_groups(row& score) const {
    const dlens_experts& e = *shape_.experts;
    if (e.group_score == DLENS_GROUPS_NONE) return;
    const std::size_t n = e.n_experts / e.n_groups;
    row worth;
    for (std::size_t g = 0; g < e.n_groups; ++g) {
      row own(score.begin() + static_cast<std::ptrdiff_t>(g * n),
              score.begin() + static_cast<std::ptrdiff_t>((g + 1) * n));
      std::sort(own.rbegin(), own.rend());
      worth.push_back(own[0] + (e.group_score == DLENS_GROUPS_BEST_TWO && n > 1 ? own[1] : 0));
    }
    const std::vector<std::size_t> kept = best(worth, e.groups_used);
    for (std::size_t i = 0; i < score.size(); ++i)
      if (std::find(kept.begin(), kept.end(), i / n) == kept.end()) score[i] = -INFINITY;
  }

  // Of scores that are logits still, of their softmax.
  double entropy_of(row share) const {
    if (shape_.experts->router == DLENS_ROUTER_CHOSEN_SOFTMAX) softmax(share);
    const double sum = std::accumulate(share.begin(), share.end(), 0.0);
    double out = 0;
    for (const double s : share)
      if (s != 0) out -= s / sum * std::log(s / sum);
    return out;
  }

  static std::vector<std::size_t> best(const row& score, std::size_t n) {
    std::vector<std::size_t> ids(score.size());
    std::iota(ids.begin(), ids.end(), std::size_t{0});
    std::stable_sort(ids.begin(), ids.end(),
                     [&](std::size_t a, std::size_t b) { return score[a] > score[b]; });
    ids.resize(n);
    return ids;
  }

  const weights& w_;
  const block_shape& shape_;
  const std::string block_;
};

}  // namespace depthlens::reference
