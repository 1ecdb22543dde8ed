// SPDX-License-Identifier: Apache-2.0
// Small models with random weights, in memory; weights_view.hpp shows them to a backend as a host does.
#pragma once

#include "depthlens/base/error.hpp"
#include "depthlens/reference/random_shape.hpp"

#include <cmath>
#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace depthlens::reference {

struct matrix {
  std::size_t rows = 0, columns = 0;
  std::vector<float> values;  // row-major
  bool vector = false;        // of `columns` elements
};

class random_model {
 public:
  explicit random_model(const model_shape& of) : shape(of), bits_(of.seed) {
    const std::uint32_t d = shape.width, e = shape.embed_dim != 0 ? shape.embed_dim : d;
    make("embed", shape.vocabulary, e, 0, 1 / shape.embed_scale);
    if (shape.embed_dim != 0) linear("in_projection", d, e, false), linear("out_projection", e, d, false);
    if (shape.learned_positions) make("position", shape.max_positions + shape.position_offset, d, 0, 0.5);
    norm(shape.embed_norm, "embed_norm", d, 1, 0.2);
    // Logits spread by 3, as real ones do.
    norm(shape.final_norm, "final_norm", d, 3 / std::sqrt(static_cast<double>(d)), 0.1);
    if (shape.layer_inputs > 0) make_layer_inputs();
    for (std::uint32_t i = 0; i < shape.layers; ++i) make_block(i, cat("block.", i, "."));
    make_unembedding(e);
    for (std::uint32_t i = 0; i < shape.rope_dims / 2; ++i) {
      const double turn = -2.0 * i / shape.rope_dims;
      inverse_frequency.push_back(static_cast<float>(std::pow(10000.0, turn)));
      if (shape.long_positions > 0)
        long_inverse_frequency.push_back(static_cast<float>(std::pow(900.0, turn) / 3));
      if (shape.local_rope) local_inverse_frequency.push_back(static_cast<float>(std::pow(50.0, turn)));
    }
    for (std::uint32_t i = 0; i < shape.heads && shape.alibi != DLENS_ALIBI_NONE; ++i)
      alibi_slopes.push_back(static_cast<float>(std::pow(2.0, -2.0 * (i + 1) / shape.heads)));
  }

  const matrix& at(const std::string& name) const { return tensors.at(name); }

  model_shape shape;
  std::map<std::string, matrix> tensors;
  std::vector<float> inverse_frequency, long_inverse_frequency, local_inverse_frequency, alibi_slopes;

 private:
  void make(const std::string& name, std::size_t rows, std::size_t columns, double mean, double spread) {
    std::normal_distribution<double> noise(mean, spread);
    matrix& m = tensors[name] = {rows, columns, std::vector<float>(rows * columns)};
    for (float& x : m.values) x = static_cast<float>(noise(bits_));
  }
  void make_vector(const std::string& name, std::size_t n, double mean, double spread) {
    make(name, 1, n, mean, spread);
    tensors[name].vector = true;
  }
  void linear(const std::string& name, std::size_t rows, std::size_t columns, bool biased) {
    make(name, rows, columns, 0, 1.5 / std::sqrt(static_cast<double>(columns)));
    if (biased || shape.biased) make_vector(name + ".bias", rows, 0, 0.2);
  }
  void norm(bool wanted, const std::string& name, std::size_t n, double mean, double spread) {
    if (wanted) make_vector(name, n, mean - shape.norm_offset, spread);
    if (wanted && shape.norm_biases) make_vector(name + ".bias", n, 0, 0.2);
  }
  void head_norm(const std::string& name, std::uint32_t heads) {
    const bool all = shape.qk == qk_norm::all_heads;
    if (shape.qk == qk_norm::own_heads) return make(name, heads, shape.head_dim, 1 - shape.norm_offset, 0.2);
    norm(shape.qk != qk_norm::none, name, all ? heads * shape.head_dim : shape.head_dim, 1, 0.2);
  }

  void make_layer_inputs() {
    const std::uint32_t all = shape.layers * shape.layer_inputs;
    make("layer_embed", shape.vocabulary, all, 0, 1);
    linear("layer_projection", all, shape.width, false);
    norm(true, "layer_embed_norm", shape.layer_inputs, 1, 0.2);
  }

  void make_unembedding(std::uint32_t e) {
    if (shape.tied) {
      tensors["unembed"] = tensors["embed"];
      for (float& x : tensors["unembed"].values) x *= static_cast<float>(shape.embed_scale);
    } else {
      make("unembed", shape.vocabulary, e, 0, shape.final_norm ? 1 : 0.1);  // states grow where no norm is
    }
    if (shape.biased_unembed) make_vector("unembed.bias", shape.vocabulary, 0, 0.5);
  }

  void make_block(std::uint32_t layer, const std::string& at) {
    const std::uint32_t d = shape.width;
    norm(shape.attn_norm, at + "attn_norm", d, 1, 0.2);
    norm(shape.post_norms, at + "attn_post_norm", d, 1, 0.2);
    norm(shape.ffn_norm, at + "ffn_norm", d, 1, 0.2);
    norm(shape.post_norms, at + "ffn_post_norm", d, 1, 0.2);
    if (shape.is_delta(layer)) {
      make_delta_rule(at);
    } else {
      make_attention(layer, at);
    }
    if (shape.has_dense(layer)) channel(at, "gate", "up", "down", shape.inner);
    if (shape.has_experts(layer)) make_experts(at);
    if (shape.layer_inputs == 0) return;
    linear(at + "layer_gate", shape.layer_inputs, d, false);
    linear(at + "layer_out", d, shape.layer_inputs, false);
    norm(true, at + "layer_post_norm", d, 1, 0.2);
  }

  void make_attention(std::uint32_t layer, const std::string& at) {
    const std::uint32_t d = shape.width, q = shape.heads * shape.head_dim,
                        kv = shape.kv_heads * shape.head_dim;
    const std::uint32_t mixed = shape.heads * shape.value_dim();
    head_norm(at + "q_norm", shape.heads);
    if (shape.latent) {
      const latent_shape& l = *shape.latent;
      linear(at + "q", q, l.q_rank != 0 ? l.q_rank : d, false);
      if (l.q_rank != 0)
        linear(at + "q_down", l.q_rank, d, false), norm(true, at + "q_down_norm", l.q_rank, 1, 0.2);
      linear(at + "kv_down", l.kv_rank, d, false);
      norm(true, at + "kv_down_norm", l.kv_rank, 1, 0.2);
      linear(at + "k_rope", shape.rope_dims, d, false);
      linear(at + "k", shape.heads * (shape.head_dim - shape.rope_dims), l.kv_rank, false);
      linear(at + "v", mixed, l.kv_rank, false);
    } else {
      linear(at + "q", q, d, shape.biased_qkv);
      if (shape.kv_layer(layer) == layer) {
        linear(at + "k", kv, d, shape.biased_qkv);
        linear(at + "v", kv, d, shape.biased_qkv);
        head_norm(at + "k_norm", shape.kv_heads);
        norm(shape.v_norm, at + "v_norm", shape.head_dim, 1, 0.2);
      }
    }
    if (shape.attn_gate) linear(at + "attn_gate", mixed, d, false);
    if (shape.sinks) make_vector(at + "sinks", shape.heads, 0, 1);
    linear(at + "o", d, mixed, false);
  }

  void make_delta_rule(const std::string& at) {
    const delta_shape& r = *shape.delta;
    const std::uint32_t d = shape.width, keys = r.key_heads * r.key_dim, values = r.value_heads * r.value_dim;
    for (const char* part : {"delta_q", "delta_k"}) linear(at + part, keys, d, false);
    for (const char* part : {"delta_v", "delta_gate"}) linear(at + part, values, d, false);
    for (const char* part : {"delta_beta", "delta_step"}) linear(at + part, r.value_heads, d, false);
    make(at + "delta_conv", 2 * keys + values, r.conv_width, 0, 0.7);
    make_vector(at + "decay", r.value_heads, -0.4, 0.1);
    make_vector(at + "step_bias", r.value_heads, -1, 1);
    make_vector(at + "delta_norm", r.value_dim, 1, 0.2);
    linear(at + "o", d, values, false);
  }

  void channel(const std::string& at, const char* gate, const char* up, const char* down,
               std::uint32_t inner) {
    if (shape.gated) linear(at + gate, inner, shape.width, shape.biased_inner);
    linear(at + up, inner, shape.width, shape.biased_inner);
    linear(at + down, shape.width, inner, shape.biased_inner);
  }

  void make_experts(const std::string& at) {
    const expert_shape& e = *shape.experts;
    const std::uint32_t d = shape.width;
    linear(at + "router", e.n, d, false);
    if (e.correction) make_vector(at + "router_correction", e.n, 0, 0.3);
    if (e.norms) {
      for (const char* part : {"router_norm", "expert_norm", "expert_post_norm"})
        norm(true, at + part, d, 1, 0.2);
      norm(e.dense_too, at + "dense_post_norm", d, 1, 0.2);
      make_vector(at + "expert_scale", e.n, 1, 0.2);
    }
    for (std::uint32_t i = 0; i < e.n; ++i)
      channel(cat(at, "expert.", i, "."), "gate", "up", "down", e.inner);
    if (e.shared > 0) channel(at, "shared_gate", "shared_up", "shared_down", e.shared);
    if (e.shared_router) linear(at + "shared_router", 1, d, false);
  }

  std::mt19937 bits_;
};

}  // namespace depthlens::reference
