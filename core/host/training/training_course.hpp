// SPDX-License-Identifier: Apache-2.0
// A training from its start, or its checkpoint, to its last step: what the trainer is given, and the losses
// that come of it.
#pragma once

#include "training/backend_trainer.hpp"
#include "training/held_training.hpp"
#include "training/loss_table.hpp"
#include "training/train_request.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace depthlens {

// In run.json, where no text is held out: the logit lens on what measure_first_batch measures.
inline constexpr const char* first_batch_loss = "logit_kl_of_first_batch";

// [main]
class training_course {
 public:
  // All outlive it.
  training_course(const train_request& request, const training_text& text, const architecture& arch,
                  backend_trainer& trainer, held_training& folder);

  // Loads the checkpoint, or makes the start that was asked for and measures the logit lens and it.
  void begin();
  bool train();  // false where it was stopped; what it has is saved then
  // Adds the loss on held-out text, if there is one, as that of `lens`. False where it was stopped.
  bool measure(const std::string& lens);
  // Mean KL of layers 0..n-1 on the first batch of the text: stands for a held-out text where there is none.
  std::vector<float> measure_first_batch() const;
  void save();  // tables and checkpoint, once there is a start
  void write_tables() const;

  std::uint64_t step() const { return step_; }
  std::uint64_t trained_on() const { return trained_on_; }  // positions
  const std::vector<loss_row>& validation() const { return validation_; }
  loss_row& last_validation() { return validation_.back(); }

 private:
  void load_checkpoint();
  void observe_and_fit();
  double rate_of(std::uint64_t step) const;

  const train_request& request_;
  const training_text& text_;
  const std::uint32_t n_layers_, long_positions_;  // of the model
  backend_trainer& trainer_;
  held_training& folder_;
  bool begun_ = false;  // the state to start from is complete
  std::uint64_t step_ = 0, trained_on_ = 0;
  std::vector<loss_row> losses_, validation_;
};

}  // namespace depthlens
