// SPDX-License-Identifier: Apache-2.0
// Attention of one block, of all kinds, over one sequence: see dlens_attention of abi/architecture.h.
#pragma once

#include "depthlens/backend/alibi.hpp"
#include "depthlens/reference/weights.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace depthlens::reference {

struct keys_and_values {
  std::vector<row> k, v;  // by position: (Hkv hd), (Hkv vd)
};

class attention {
 public:
  // Of a sequence of so many tokens.
  attention(const weights& w, std::uint32_t layer, std::size_t tokens)
      : w_(w),
        shape_(w.arch().blocks[layer]),
        a_(*shape_.attention),
        block_(cat("block.", layer, ".")),
        is_long_(w.arch().all.long_positions > 0 && tokens > w.arch().all.long_positions) {}

  keys_and_values make_kv(const std::vector<row>& x) const {
    keys_and_values out;
    for (std::size_t p = 0; p < x.size(); ++p) {
      if (a_.kv_rank > 0) {
        add_latent(x[p], p, out);
        continue;
      }
      const row k = w_.norm(block_ + "k_norm", clipped(w_.multiply(block_ + "k", x[p])));
      out.k.push_back(turned(k, p, a_.head_dim, a_.rope_begin));
      out.v.push_back(w_.norm(block_ + "v_norm", clipped(w_.multiply(block_ + "v", x[p]))));
    }
    return out;
  }

  // W_o of the output of all heads at each position from `first` on, without attn_post_norm.
  std::vector<row> outputs(const std::vector<row>& x, const keys_and_values& kv, std::size_t first) const {
    std::vector<row> out;
    for (std::size_t p = first; p < x.size(); ++p) {
      row mixed = attend(query(x[p], p), kv, p);
      if (w_.has(block_ + "attn_gate")) {
        const row gate = w_.multiply(block_ + "attn_gate", x[p]);
        for (std::size_t i = 0; i < mixed.size(); ++i) mixed[i] *= sigmoid(gate[i]);
      }
      out.push_back(w_.multiply(block_ + "o", mixed));
    }
    return out;
  }

 private:
  row query(const row& x, std::size_t p) const {
    const row from = a_.q_rank == 0 ? x
                                    : w_.norm(block_ + "q_down_norm", w_.multiply(block_ + "q_down", x),
                                              a_.latent_norm_eps);
    return turned(w_.norm(block_ + "q_norm", clipped(w_.multiply(block_ + "q", from))), p, a_.head_dim,
                  a_.rope_begin);
  }

  // The first dimensions of a head's key are its own, the last ones all heads share.
  void add_latent(const row& x, std::size_t p, keys_and_values& out) const {
    const row l = w_.norm(block_ + "kv_down_norm", w_.multiply(block_ + "kv_down", x), a_.latent_norm_eps);
    const row own = w_.multiply(block_ + "k", l);
    const row shared =
        a_.rope_dims > 0 ? turned(w_.multiply(block_ + "k_rope", x), p, a_.rope_dims, 0) : row{};
    const std::size_t n_own = a_.head_dim - a_.rope_dims;
    row k;
    for (std::size_t head = 0; head < a_.n_heads; ++head) {
      for (std::size_t i = 0; i < n_own; ++i) k.push_back(own[head * n_own + i]);
      k.insert(k.end(), shared.begin(), shared.end());
    }
    out.k.push_back(std::move(k));
    out.v.push_back(w_.multiply(block_ + "v", l));
  }

  row clipped(row x) const {
    for (double& v : x)
      if (a_.clip != 0) v = std::clamp(v, -a_.clip, a_.clip);
    return x;
  }

  // rope_dims values of each head from `begin` on, pair by pair, turned by position * frequency: an angle in
  // float32, as models are trained.
  row turned(row x, std::size_t position, std::size_t head_dim, std::size_t begin) const {
    if (a_.rope_dims == 0) return x;
    const rope_table& table = w_.arch().ropes[shape_.rope];
    const std::vector<float>& frequency = is_long_ ? table.long_inverse_frequency : table.inverse_frequency;
    const bool interleaved = a_.rope_kind == DLENS_ROPE_INTERLEAVED;
    const std::size_t half = a_.rope_dims / 2;
    for (std::size_t head = begin; head < x.size(); head += head_dim) {
      for (std::size_t i = 0; i < half; ++i) {
        double& a = x[head + (interleaved ? 2 * i : i)];
        double& b = x[head + (interleaved ? 2 * i + 1 : i + half)];
        const auto angle = static_cast<double>(static_cast<float>(position) * frequency[i]);
        const double turned = a * std::cos(angle) - b * std::sin(angle);
        b = table.scale * (b * std::cos(angle) + a * std::sin(angle));
        a = table.scale * turned;
      }
    }
    return x;
  }

  double alibi(std::size_t head, std::size_t key, std::size_t position) const {
    if (a_.alibi == DLENS_ALIBI_NONE) return 0;
    return alibi_bias(a_, shape_.alibi_slopes[head], key, position);
  }

  // (H vd) at `position`, of the values at this position and those before it, within the window. Heads share
  // keys and values in groups.
  row attend(const row& q, const keys_and_values& kv, std::size_t position) const {
    const std::size_t window = a_.window, hd = a_.head_dim, vd = a_.value_dim;
    const std::size_t first = window != 0 && position + 1 > window ? position + 1 - window : 0;
    const std::size_t group = a_.n_heads / a_.n_kv_heads;
    const row sinks = w_.has(block_ + "sinks") ? w_.values(block_ + "sinks") : row{};
    row out(a_.n_heads * vd, 0.0);
    for (std::size_t head = 0; head < a_.n_heads; ++head) {
      const std::size_t shared = head / group;
      row weight;
      for (std::size_t p = first; p <= position; ++p) {
        double score = 0;
        for (std::size_t d = 0; d < hd; ++d) score += q[head * hd + d] * kv.k[p][shared * hd + d];
        weight.push_back(soft_cap(score * a_.scale, a_.softcap) + alibi(head, p, position));
      }
      if (!sinks.empty()) weight.push_back(sinks[head]);
      softmax(weight);
      for (std::size_t p = first; p <= position; ++p)
        for (std::size_t d = 0; d < vd; ++d)
          out[head * vd + d] += weight[p - first] * kv.v[p][shared * vd + d];
    }
    return out;
  }

  const weights& w_;
  const block_shape& shape_;
  const dlens_attention& a_;
  const std::string block_;
  const bool is_long_;
};

}  // namespace depthlens::reference
