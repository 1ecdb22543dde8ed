// SPDX-License-Identifier: Apache-2.0
// Small models with random weights, in memory, as a host hands them to a backend.
#pragma once

#include "depthlens/abi/backend.h"
#include "depthlens/error.hpp"

#include <cmath>
#include <cstdint>
#include <deque>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace depthlens::testing {

struct model_shape {
  std::uint32_t layers = 3, width = 48, heads = 4, kv_heads = 2, head_dim = 12, inner = 80, vocabulary = 203;
  std::uint32_t rope_kind = DLENS_ROPE_HALF, rope_dims = 12, max_positions = 700;
  bool tied = true, biased = false;
  std::uint32_t seed = 1;
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
    const auto linear = [&](const std::string& name, std::size_t rows, std::size_t columns) {
      make(name, rows, columns, 0, 1.5 / std::sqrt(static_cast<double>(columns)));
      if (shape.biased) make(name + ".bias", 1, rows, 0, 0.2);
    };
    make("embed", shape.vocabulary, d, 0, 1);
    make("final_norm", 1, d, 3 / std::sqrt(static_cast<double>(d)),
         0.1);  // logits spread by 3, as real ones do
    for (std::uint32_t i = 0; i < shape.layers; ++i) {
      const std::string at = cat("block.", i, ".");
      make(at + "attn_norm", 1, d, 1, 0.2);
      make(at + "ffn_norm", 1, d, 1, 0.2);
      linear(at + "q", q, d);
      linear(at + "k", kv, d);
      linear(at + "v", kv, d);
      linear(at + "o", d, q);
      linear(at + "gate", shape.inner, d);
      linear(at + "up", shape.inner, d);
      linear(at + "down", d, shape.inner);
    }
    if (shape.tied) {
      tensors["unembed"] = tensors["embed"];
    } else {
      make("unembed", shape.vocabulary, d, 0, 1);
    }
    for (std::uint32_t i = 0; i < shape.rope_dims / 2; ++i) {
      inverse_frequency.push_back(static_cast<float>(std::pow(10000.0, -2.0 * i / shape.rope_dims)));
    }
  }

  const matrix& at(const std::string& name) const { return tensors.at(name); }

  model_shape shape;
  std::map<std::string, matrix> tensors;
  std::vector<float> inverse_frequency;
};

// The C view of a model; valid as long as the model and this object.
class weights_view {
 public:
  explicit weights_view(const random_model& model) {
    const model_shape& s = model.shape;
    architecture = {sizeof(dlens_architecture),
                    s.layers,
                    s.width,
                    s.heads,
                    s.kv_heads,
                    s.head_dim,
                    s.inner,
                    s.vocabulary,
                    s.max_positions,
                    s.rope_kind,
                    s.rope_dims,
                    0,
                    1e-5,
                    model.inverse_frequency.data()};
    for (const auto& [name, m] : model.tensors) {
      dlens_tensor& t = tensors_.emplace_back();
      t = {sizeof(dlens_tensor),      DLENS_DTYPE_F32, {name.data(), name.size()},     2,
           {m.rows, m.columns, 0, 0}, m.values.data(), m.values.size() * sizeof(float)};
      const bool is_vector = m.rows == 1 && (name.ends_with("norm") || name.ends_with(".bias"));
      if (is_vector) {
        t.n_dims = 1;
        t.shape[0] = m.columns;
      }
      pointers_.push_back(&t);
    }
    weights = {sizeof(dlens_weights), 0, &architecture, pointers_.data(), pointers_.size()};
  }
  weights_view(const weights_view&) = delete;
  weights_view& operator=(const weights_view&) = delete;

  dlens_tensor& tensor(const std::string& name) {
    for (dlens_tensor& t : tensors_) {
      if (std::string(t.name.data, t.name.size) == name) return t;
    }
    fail(status::internal, "the test's model has no tensor ", name);
  }

  dlens_architecture architecture;
  dlens_weights weights;

 private:
  std::deque<dlens_tensor> tensors_;
  std::vector<const dlens_tensor*> pointers_;
};

}  // namespace depthlens::testing
