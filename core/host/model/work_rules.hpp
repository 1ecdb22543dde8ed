// SPDX-License-Identifier: Apache-2.0
// How the user wants work to be done: one set of wishes from the command line to the engine. What of it a
// backend decides is combined with its advice in engine/pack_rules.hpp.
#pragma once

#include "model/memory_budget.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace depthlens {

// Readings may depend, in their last bits, on the first line; never on what follows it.
struct work_rules {
  std::string backend = "auto", device = "auto", precision = "f32";
  memory_budget memory;                     // that the process may take
  memory_budget device_memory;              // and of each device, where weights lie in its own memory
  std::vector<std::string> skipped_checks;  // of the loaded model, by their names in self_check.hpp
  unsigned threads = 1;                     // that compute; forward calls in flight at most
  std::size_t window = 8192;                // records, or prompts, whose prefixes are shared
  std::size_t pack_tokens = 0;              // of one forward call, about; 0 = as the backend advises
  std::uint64_t kept_bytes = 0;  // most memory for keys and values of shared prefixes; 0 = kept_bytes_for
  std::uint64_t wave_bytes = 0;  // most memory for the states of a wave, where weights are streamed
  // Before each stage of streamed weights that has been loaded: gives its pages of the files back, and throws
  // where the files are not what they were; set by the running model.
  std::function<void()> check_weights;
  // Of the model, see fit_to. Tokens of a sequence above which it computes all of it otherwise, see
  // dlens_architecture, and fewest tokens of a pack, where the work is small.
  std::uint32_t long_positions = 0;
  std::size_t fewest_tokens = 0;
  bool sharing = true;    // false: every sequence is computed by itself, to measure against
  bool streaming = true;  // false: weights are held, whatever the budget
};

}  // namespace depthlens
