// SPDX-License-Identifier: Apache-2.0
// A trainer held by a backend's model, and its state as named arrays, for checkpoints and the finished lens.
#pragma once

#include "depthlens/abi/trainer.h"
#include "training/array_file.hpp"
#include "training/trainable_backend.hpp"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace depthlens {

// Whether the model's backend trains lenses.
bool can_train(const dlens_model* model);
inline constexpr backend_ability training_ability{can_train, "lens train", "train lenses"};

class backend_trainer {
 public:
  // Of a model whose backend can train; it outlives the trainer. All of it [main].
  backend_trainer(const dlens_model* model, const dlens_trainer_options& options);
  ~backend_trainer();
  backend_trainer(const backend_trainer&) = delete;

  // Of layers 0..n-1, and the unigram predictor's, as dlens_trainer has it.
  std::vector<float> measure(const dlens_batch& batch, std::size_t n_layers);
  // Throws status::data where the loss is no number any more.
  std::vector<float> step(const dlens_batch& batch, double learning_rate, std::size_t n_layers);
  void observe(const dlens_batch& batch);
  void fit(std::uint32_t what, double ridge);  // DLENS_FIT_...

  trainer_array read(const std::string& name) const;

  // All arrays and the number of the step, complete or not at all.
  void save(const std::filesystem::path& file, std::uint64_t step) const;
  // Returns the number of the step. Throws status::data for another trainer's state.
  std::uint64_t load(const std::filesystem::path& file);

 private:
  std::vector<const dlens_trainer_array*> arrays() const;
  trainer_array read(std::uint64_t index, const dlens_trainer_array& about) const;

  dlens_trainer* trainer_ = nullptr;
};

}  // namespace depthlens
