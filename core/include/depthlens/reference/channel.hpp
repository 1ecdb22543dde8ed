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
    const row score = scores(w_.multiply(block_ + "router", routed(h, x)));
    row rank_by = corrected(score);
    chosen_experts out;
    out.entropy = entropy_of(score);
    // Scores that are no numbers choose nobody: what comes of them is none either.
    if (any_nan(rank_by)) {
      out.weights.assign(e.n_used, NAN);
      for (std::size_t i = 0; i < e.n_used; ++i) out.ids.push_back(i);
      return out;
    }
    if (e.group_score != DLENS_GROUPS_NONE) keep_best_groups(rank_by, worth_of_groups(rank_by));
    out.ids = best(rank_by, e.n_used);
    for (const std::size_t id : out.ids) out.weights.push_back(score[id]);
    if (e.router == DLENS_ROUTER_CHOSEN_SOFTMAX) softmax(out.weights);
    const double sum = std::accumulate(out.weights.begin(), out.weights.end(), 0.0);
    const bool scaled = w_.has(block_ + "expert_scale");
    const row scale = scaled ? w_.values(block_ + "expert_scale") : row{};
    for (std::size_t i = 0; i < out.ids.size(); ++i) {
      if (e.normalised) out.weights[i] /= sum;
      out.weights[i] *= e.scale;
      if (scaled) out.weights[i] *= scale[out.ids[i]];
    }
    return out;
  }

  // How sure the choice is: as long as the terms of the router's products are off by less than this share of
  // their size, the same experts are chosen. Infinite where there is nothing to choose.
  double routing_margin(const row& h, const row& x) const {
    if (!shape_.experts) return INFINITY;
    const dlens_experts& e = *shape_.experts;
    const row from = routed(h, x);
    const row score = scores(w_.multiply(block_ + "router", from));
    row error = w_.product_sizes(block_ + "router", from);
    double mean = 0;  // of the errors, as a softmax weighs them
    for (std::size_t i = 0; i < score.size(); ++i) mean += score[i] * error[i];
    for (std::size_t i = 0; i < score.size(); ++i) {
      if (e.router == DLENS_ROUTER_SOFTMAX) error[i] = score[i] * (error[i] + mean);
      if (e.router == DLENS_ROUTER_SIGMOID) error[i] *= score[i] * (1 - score[i]);
    }
    row rank_by = corrected(score);
    if (any_nan(rank_by)) return 0;
    double margin = INFINITY;
    if (e.group_score != DLENS_GROUPS_NONE) {
      const row worth = worth_of_groups(rank_by);
      const double summed = e.group_score == DLENS_GROUPS_BEST_TWO ? 2 : 1;
      row off;  // of a group's worth
      for (std::size_t i = 0, n = e.n_experts / e.n_groups; i < error.size(); i += n) {
        const auto begin = error.begin() + static_cast<std::ptrdiff_t>(i);
        off.push_back(summed * *std::max_element(begin, begin + static_cast<std::ptrdiff_t>(n)));
      }
      margin = separation(worth, off, e.groups_used);
      keep_best_groups(rank_by, worth);
    }
    return std::min(margin, separation(rank_by, error, e.n_used));
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

  // What the router sees.
  row routed(const row& h, const row& x) const {
    return w_.has(block_ + "router_norm") ? w_.norm(block_ + "router_norm", h) : x;
  }

  row scores(row s) const {
    const std::uint32_t router = shape_.experts->router;
    if (router == DLENS_ROUTER_SOFTMAX) softmax(s);
    for (double& one : s)
      if (router == DLENS_ROUTER_SIGMOID) one = sigmoid(one);
    return s;
  }

  row corrected(row score) const {
    if (w_.has(block_ + "router_correction")) add(score, w_.values(block_ + "router_correction"));
    return score;
  }

  row worth_of_groups(const row& score) const {
    const dlens_experts& e = *shape_.experts;
    const std::size_t n = e.n_experts / e.n_groups;
    row worth;
    for (std::size_t g = 0; g < e.n_groups; ++g) {
      row own(score.begin() + static_cast<std::ptrdiff_t>(g * n),
              score.begin() + static_cast<std::ptrdiff_t>((g + 1) * n));
      std::sort(own.rbegin(), own.rend());
      worth.push_back(own[0] + (e.group_score == DLENS_GROUPS_BEST_TWO && n > 1 ? own[1] : 0));
    }
    return worth;
  }

  // Experts of other groups can no longer be chosen.
  void keep_best_groups(row& score, const row& worth) const {
    const dlens_experts& e = *shape_.experts;
    const std::vector<std::size_t> kept = best(worth, e.groups_used);
    for (std::size_t i = 0; i < score.size(); ++i)
      if (std::find(kept.begin(), kept.end(), i / (e.n_experts / e.n_groups)) == kept.end())
        score[i] = -INFINITY;
  }

  // By how many of the errors of both any of the best n scores is above any of the others, at least.
  static double separation(const row& score, const row& error, std::size_t n) {
    const std::vector<std::size_t> kept = best(score, n);
    double least = INFINITY;
    for (const std::size_t a : kept)
      for (std::size_t b = 0; b < score.size(); ++b) {
        if (std::find(kept.begin(), kept.end(), b) != kept.end()) continue;
        const double apart = score[a] - score[b];
        least = std::min(least, apart > 0 ? apart / (error[a] + error[b]) : 0);
      }
    return least;
  }

  static bool any_nan(const row& score) {
    return std::any_of(score.begin(), score.end(), [](double s) { return std::isnan(s); });
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
