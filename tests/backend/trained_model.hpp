// SPDX-License-Identifier: Apache-2.0
// A trainer of the backend under test, its state as named arrays, and what it should find: losses in double
// from the reference model's states.
#pragma once

#include "agreement.hpp"

#include "depthlens/abi/trainer.h"

#include <cmath>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace depthlens::testing {

// Null where the model's backend does not train.
inline const dlens_training* training_of(const dlens_model& m) {
  if (m.get_extension == nullptr) return nullptr;
  return static_cast<const dlens_training*>(m.get_extension(&m, DLENS_TRAINER_INTERFACE));
}

// A trainer of a random model, on one pack of texts whose positions behind the first are read.
class trained_model {
 public:
  trained_model(const random_model& weights, dlens_trainer_options options, sequences texts)
      : texts_(std::move(texts)), model_(weights), n_layers_(weights.shape.layers) {
    pack_.long_positions = weights.shape.long_positions;
    for (const auto& ids : texts_) {
      std::int32_t at = -1;
      for (std::size_t i = 0; i < ids.size(); ++i) {
        pack_.add_token(ids[i], at, pack_.form_of(ids));
        at = static_cast<std::int32_t>(pack_.tokens.size()) - 1;
        if (i > 0) pack_.add_read(static_cast<std::uint32_t>(at), {});
      }
    }
    options.size = sizeof options;
    options.threads = 2;
    checked_call(training_of(model_.get())->trainer_create, &model_.get(), &options, &trainer_);
  }
  ~trained_model() {
    if (trainer_) trainer_->destroy(trainer_);
  }
  trained_model(const trained_model&) = delete;

  // The unigram predictor's loss is the last.
  std::vector<float> measure() const {
    std::vector<float> loss(n_layers_ + 1);
    const dlens_batch b = model_.batch_of(pack_);
    checked_call(trainer_->measure, trainer_, &b, loss.data());
    return loss;
  }
  std::vector<float> step(double rate) {
    std::vector<float> loss(n_layers_);
    const dlens_batch b = model_.batch_of(pack_);
    checked_call(trainer_->step, trainer_, &b, rate, loss.data());
    return loss;
  }
  void fit(std::uint32_t what, double ridge) {
    const dlens_batch b = model_.batch_of(pack_);
    checked_call(trainer_->observe, trainer_, &b);
    checked_call(trainer_->fit, trainer_, what, ridge);
  }

  std::map<std::string, std::vector<float>> state() const {
    std::map<std::string, std::vector<float>> out;
    const dlens_trainer_array* const* all = nullptr;
    const std::uint64_t n = trainer_->arrays(trainer_, &all);
    for (std::uint64_t i = 0; i < n; ++i) {
      std::size_t size = 1;
      for (std::uint32_t k = 0; k < all[i]->n_dims; ++k) size *= static_cast<std::size_t>(all[i]->shape[k]);
      std::vector<float>& values = out[all[i]->name];
      values.resize(size);
      checked_call(trainer_->read, trainer_, i, values.data());
    }
    return out;
  }
  void set_state(const std::map<std::string, std::vector<float>>& state) {
    const dlens_trainer_array* const* all = nullptr;
    const std::uint64_t n = trainer_->arrays(trainer_, &all);
    for (std::uint64_t i = 0; i < n; ++i)
      if (const auto at = state.find(all[i]->name); at != state.end())
        checked_call(trainer_->write, trainer_, i, at->second.data());
  }
  // The transport of a layer as it is now.
  transport_spec translator(std::uint32_t layer, std::size_t width) const {
    const auto now = state();
    const auto cut = [&](const char* name, std::size_t n) {
      const auto from = now.at(name).begin() + static_cast<std::ptrdiff_t>(layer * n);
      return std::vector<float>(from, from + static_cast<std::ptrdiff_t>(n));
    };
    return {layer, DLENS_TRANSPORT_RESIDUAL, cut("weight", width * width), cut("bias", width)};
  }

  const sequences& texts() const { return texts_; }
  test_model& model() { return model_; }
  const pack& tokens() const { return pack_; }

 private:
  sequences texts_;
  test_model model_;
  std::uint32_t n_layers_;
  pack pack_;
  dlens_trainer* trainer_ = nullptr;
};

// Mean KL(final || lens) of a translator over the positions that a trained_model reads, all in double.
class reference_loss {
 public:
  reference_loss(const random_model& weights, const sequences& texts)
      : expected_(weights_view(weights).weights) {
    for (const auto& ids : texts) {
      const auto states = expected_.residuals(ids);
      for (std::size_t p = 1; p < ids.size(); ++p) {
        std::vector<row>& at = states_.emplace_back();
        for (const auto& of_layer : states) at.push_back(of_layer[p]);
        finals_.push_back(log_softmax(expected_.logits(at.back(), {})));
      }
    }
  }

  double of(const transport_spec& t) const {
    double sum = 0;
    for (std::size_t p = 0; p < states_.size(); ++p) {
      const row said = log_softmax(expected_.logits(states_[p][t.layer], t.table()));
      for (std::size_t v = 0; v < said.size(); ++v)
        sum += std::exp(finals_[p][v]) * (finals_[p][v] - said[v]);
    }
    return sum / static_cast<double>(states_.size());
  }

  // Of the mean of the final outputs themselves.
  double of_unigram() const {
    row mean(finals_[0].size());
    for (const row& f : finals_)
      for (std::size_t v = 0; v < f.size(); ++v)
        mean[v] += std::exp(f[v]) / static_cast<double>(finals_.size());
    double sum = 0;
    for (const row& f : finals_)
      for (std::size_t v = 0; v < f.size(); ++v) sum += std::exp(f[v]) * (f[v] - std::log(mean[v]));
    return sum / static_cast<double>(finals_.size());
  }

  const std::vector<std::vector<row>>& states() const { return states_; }  // [position][layer]

 private:
  static row log_softmax(row z) {
    const double top = *std::max_element(z.begin(), z.end());
    double sum = 0;
    for (const double v : z) sum += std::exp(v - top);
    for (double& v : z) v -= top + std::log(sum);
    return z;
  }

  reference::model expected_;
  std::vector<std::vector<row>> states_;
  std::vector<row> finals_;
};

// Small random translators for all layers.
inline std::map<std::string, std::vector<float>> random_translators(const model_shape& s,
                                                                    std::uint32_t seed) {
  std::mt19937 bits(seed);
  std::normal_distribution<float> noise(0, 0.05f);
  std::map<std::string, std::vector<float>> out;
  out["weight"].resize(std::size_t{s.layers} * s.width * s.width);
  out["bias"].resize(std::size_t{s.layers} * s.width);
  for (auto& [name, values] : out)
    for (float& x : values) x = noise(bits);
  return out;
}

}  // namespace depthlens::testing
