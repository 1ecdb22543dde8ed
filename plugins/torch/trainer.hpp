// SPDX-License-Identifier: Apache-2.0
// Trains the translators of a tuned lens: t = h + A h + b at every layer 0..n-1, to the smallest KL from the
// model's own output. The model runs in inference mode; of the loss, the part with the unembedding is
// output_loss.hpp, and libtorch's autograd carries its gradient through the final norm to A and b.
#pragma once

#include "model.hpp"
#include "optimizer.hpp"
#include "output_loss.hpp"
#include "state_regression.hpp"

#include "depthlens/abi/trainer.h"

#include <ATen/ATen.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace depthlens::torch_backend {

// One thread. The model outlives it.
class trainer {
 public:
  // Errors: status::internal for options that are not as dlens_trainer_options asks.
  trainer(const model& of, const dlens_trainer_options& options);

  // As the functions of dlens_trainer.
  void measure(const dlens_batch& batch, float* loss);
  void step(const dlens_batch& batch, double rate, float* loss);
  void observe(const dlens_batch& batch);
  void fit(std::uint32_t what, double ridge);
  std::span<const dlens_trainer_array* const> arrays() const { return array_pointers_; }
  void read(std::uint64_t array, float* values) const;
  void write(std::uint64_t array, const float* values);

 private:
  // Of a pack: states of layers 0..n (P, D), the normed states of layer n, and what the model says from them.
  struct lesson {
    std::vector<at::Tensor> hidden;
    final_output final;
  };
  std::vector<at::Tensor> states_of(const dlens_batch& batch) const;
  lesson make_lesson(const dlens_batch& batch) const;
  void train_layer(std::int64_t layer, const lesson& l, double rate, float* loss);
  void limit(std::vector<at::Tensor>& gradients) const;
  void add_array(std::string name, const at::Tensor& values);
  const at::Tensor& array(std::uint64_t index) const;

  const model& model_;
  const dlens_trainer_options options_;
  const bool bias_only_;
  norm_weights norm_;  // copies that autograd may keep
  unembedding unembed_;
  at::Tensor weight_, bias_;    // (n, D, D), (n, D): the translators
  at::Tensor whiten_, center_;  // (n, D, D), (n, D): the coordinates that steps are taken in
  optimizer bias_steps_;
  std::unique_ptr<optimizer> weight_steps_;  // none where only the bias is trained
  at::Tensor steps_;                         // (1) float32, exact to 2^24
  at::Tensor mean_output_;                   // (V) of the final outputs of all steps
  std::unique_ptr<state_regression> regression_;
  std::vector<std::string> array_names_;
  std::vector<at::Tensor> array_values_;
  std::vector<dlens_trainer_array> arrays_;
  std::vector<const dlens_trainer_array*> array_pointers_;
};

}  // namespace depthlens::torch_backend
