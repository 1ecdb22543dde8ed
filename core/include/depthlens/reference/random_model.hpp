// SPDX-License-Identifier: Apache-2.0
// Small models with random weights, in memory, as a host hands them to a backend.
#pragma once

#include "depthlens/abi/backend.h"
#include "depthlens/base/error.hpp"

#include <cmath>
#include <cstdint>
#include <deque>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace depthlens::reference {

enum class qk_norm { none, each_head, all_heads };

struct model_shape {
  std::uint32_t layers = 3, width = 48, heads = 4, kv_heads = 2, head_dim = 12, inner = 80, vocabulary = 203;
  std::uint32_t rope_kind = DLENS_ROPE_HALF, rope_dims = 12, max_positions = 700;
  bool tied = true, biased = false;
  std::uint32_t seed = 1;
  // Parts in which families differ.
  std::uint32_t norm_kind = DLENS_NORM_RMS, activation = DLENS_ACTIVATION_SILU,
                block_form = DLENS_BLOCK_SEQUENTIAL;
  bool attn_norm = true, ffn_norm = true, post_norms = false, norm_biases = false;
  bool gated = true, biased_qkv = false, biased_inner = false, biased_unembed = false;
  qk_norm qk = qk_norm::none;
  bool learned_positions = false, local_rope = false;
  std::uint32_t position_offset = 0;
  double norm_offset = 0, embed_scale = 1, attention_scale = 0;  // scale 0: 1 / sqrt(head_dim)
  double attention_softcap = 0, final_softcap = 0;
  double rope_scale = 1;
  std::vector<std::uint32_t> windows{};  // (layers) or empty
};

struct matrix {
  std::size_t rows = 0, columns = 0;
  std::vector<float> values;  // row-major
};

class random_model {
 public:
  explicit random_model(const model_shape& of) : shape(of) {
    std::mt19937 bits(shape.seed);
    const std::uint32_t d = shape.width, q = shape.heads * shape.head_dim,
                        kv = shape.kv_heads * shape.head_dim;
    const auto make = [&](const std::string& name, std::size_t rows, std::size_t columns, double mean,
                          double spread) {
      std::normal_distribution<double> noise(mean, spread);
      matrix& m = tensors[name] = {rows, columns, std::vector<float>(rows * columns)};
      for (float& x : m.values) x = static_cast<float>(noise(bits));
    };
    const auto linear = [&](const std::string& name, std::size_t rows, std::size_t columns, bool biased) {
      make(name, rows, columns, 0, 1.5 / std::sqrt(static_cast<double>(columns)));
      if (biased || shape.biased) make(name + ".bias", 1, rows, 0, 0.2);
    };
    const auto norm = [&](bool wanted, const std::string& name, std::size_t n, double mean, double spread) {
      if (wanted) make(name, 1, n, mean - shape.norm_offset, spread);
      if (wanted && shape.norm_biases) make(name + ".bias", 1, n, 0, 0.2);
    };
    make("embed", shape.vocabulary, d, 0, 1 / shape.embed_scale);
    if (shape.learned_positions) make("position", shape.max_positions + shape.position_offset, d, 0, 0.5);
    // Logits spread by 3, as real ones do.
    norm(true, "final_norm", d, 3 / std::sqrt(static_cast<double>(d)), 0.1);
    for (std::uint32_t i = 0; i < shape.layers; ++i) {
      const std::string at = cat("block.", i, ".");
      norm(shape.attn_norm, at + "attn_norm", d, 1, 0.2);
      norm(shape.post_norms, at + "attn_post_norm", d, 1, 0.2);
      norm(shape.ffn_norm, at + "ffn_norm", d, 1, 0.2);
      norm(shape.post_norms, at + "ffn_post_norm", d, 1, 0.2);
      const bool all = shape.qk == qk_norm::all_heads;
      norm(shape.qk != qk_norm::none, at + "q_norm", all ? q : shape.head_dim, 1, 0.2);
      norm(shape.qk != qk_norm::none, at + "k_norm", all ? kv : shape.head_dim, 1, 0.2);
      linear(at + "q", q, d, shape.biased_qkv);
      linear(at + "k", kv, d, shape.biased_qkv);
      linear(at + "v", kv, d, shape.biased_qkv);
      linear(at + "o", d, q, false);
      if (shape.gated) linear(at + "gate", shape.inner, d, shape.biased_inner);
      linear(at + "up", shape.inner, d, shape.biased_inner);
      linear(at + "down", d, shape.inner, shape.biased_inner);
    }
    if (shape.tied) {
      tensors["unembed"] = tensors["embed"];
      for (float& x : tensors["unembed"].values) x *= static_cast<float>(shape.embed_scale);
    } else {
      make("unembed", shape.vocabulary, d, 0, 1);
    }
    if (shape.biased_unembed) make("unembed.bias", 1, shape.vocabulary, 0, 0.5);
    for (std::uint32_t i = 0; i < shape.rope_dims / 2; ++i) {
      const double turn = -2.0 * i / shape.rope_dims;
      inverse_frequency.push_back(static_cast<float>(std::pow(10000.0, turn)));
      if (shape.local_rope) local_inverse_frequency.push_back(static_cast<float>(std::pow(50.0, turn)));
    }
  }

  double attention_scale() const {
    return shape.attention_scale != 0 ? shape.attention_scale
                                      : 1 / std::sqrt(static_cast<double>(shape.head_dim));
  }

  const matrix& at(const std::string& name) const { return tensors.at(name); }

  model_shape shape;
  std::map<std::string, matrix> tensors;
  std::vector<float> inverse_frequency, local_inverse_frequency;
};

// The C view of a model; valid as long as the model and this object.
class weights_view {
 public:
  explicit weights_view(const random_model& model) {
    const model_shape& s = model.shape;
    const float* local = s.local_rope ? model.local_inverse_frequency.data() : nullptr;
    architecture = {.size = sizeof(dlens_architecture),
                    .n_layers = s.layers,
                    .d_model = s.width,
                    .n_heads = s.heads,
                    .n_kv_heads = s.kv_heads,
                    .head_dim = s.head_dim,
                    .d_ff = s.inner,
                    .vocab_size = s.vocabulary,
                    .max_positions = s.max_positions,
                    .norm_kind = s.norm_kind,
                    .activation = s.activation,
                    .block_form = s.block_form,
                    .rope_kind = s.rope_kind,
                    .rope_dims = s.rope_dims,
                    .position_offset = s.position_offset,
                    .reserved = 0,
                    .norm_eps = 1e-5,
                    .norm_offset = s.norm_offset,
                    .embed_scale = s.embed_scale,
                    .attention_scale = model.attention_scale(),
                    .attention_softcap = s.attention_softcap,
                    .final_softcap = s.final_softcap,
                    .rope_inverse_frequency = s.rope_dims > 0 ? model.inverse_frequency.data() : nullptr,
                    .local_rope_inverse_frequency = local,
                    .window = s.windows.empty() ? nullptr : s.windows.data(),
                    .rope_scale = s.rope_scale};
    for (const auto& [name, m] : model.tensors) {
      dlens_tensor& t = tensors_.emplace_back();
      t = {.size = sizeof(dlens_tensor),
           .dtype = DLENS_DTYPE_F32,
           .name = {name.data(), name.size()},
           .n_dims = 2,
           .shape = {m.rows, m.columns, 0, 0},
           .data = m.values.data(),
           .bytes = m.values.size() * sizeof(float),
           .row_group = m.rows,
           .group_stride = m.rows,
           .row_stride = m.columns,
           .column_stride = 1};
      const bool is_vector = m.rows == 1 && (name.ends_with("norm") || name.ends_with(".bias"));
      if (is_vector) {
        t.n_dims = 1;
        t.shape[0] = t.row_group = t.group_stride = m.columns;
        t.shape[1] = 0;
        t.row_stride = 1;
      }
      pointers_.push_back(&t);
    }
    weights = {.size = sizeof(dlens_weights),
               .reserved = 0,
               .architecture = &architecture,
               .tensors = pointers_.data(),
               .n_tensors = pointers_.size()};
  }
  weights_view(const weights_view&) = delete;
  weights_view& operator=(const weights_view&) = delete;

  dlens_tensor& tensor(const std::string& name) {
    for (dlens_tensor& t : tensors_) {
      if (std::string(t.name.data, t.name.size) == name) return t;
    }
    fail(status::internal, "the random model has no tensor ", name);
  }

  dlens_architecture architecture;
  dlens_weights weights;

 private:
  std::deque<dlens_tensor> tensors_;
  std::vector<const dlens_tensor*> pointers_;
};

}  // namespace depthlens::reference
