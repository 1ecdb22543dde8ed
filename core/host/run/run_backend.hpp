// SPDX-License-Identifier: Apache-2.0
// The model of a run on its backend: loaded when the first work needs it, as a run that is complete needs
// none.
#pragma once

#include "engine/evaluator.hpp"
#include "engine/generation.hpp"
#include "model/running_model.hpp"
#include "run/held_run.hpp"
#include "run/run_inputs.hpp"

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace depthlens {

// [main]; its evaluators run on many threads.
class run_backend {
 public:
  // Loads nothing. Inputs and run outlive it.
  run_backend(registry::backend chosen, run_inputs& inputs, held_run& run);

  const std::string& word() const { return backend_.about.word; }
  // The first call loads and checks the model, and notes it in run.json. Throws what take_model throws.
  running_model& model();
  // Reads the lenses with these numbers; their files give up their values to the model.
  evaluator evaluator_of(const std::vector<std::size_t>& lenses);
  // Says texts, and reads these lenses where they do.
  text_generator generator_of(const std::vector<std::size_t>& lenses);
  // Reads the lenses with these numbers in what the run's control reads: the untrained model, which the first
  // call makes and loads, or the model itself.
  evaluator control_of(const std::vector<std::size_t>& lenses);
  // Reads no lens.
  evaluator evaluator_of_states();

 private:
  reading_options reading() const;
  running_model& with_lenses();  // the model, with all lenses of the run that it reads
  running_model& untrained();

  run_inputs& inputs_;
  held_run& run_;
  registry::backend backend_;
  std::unique_ptr<running_model> running_;
  std::unique_ptr<opened_model> untrained_files_;
  std::unique_ptr<running_model> untrained_;
};

}  // namespace depthlens
