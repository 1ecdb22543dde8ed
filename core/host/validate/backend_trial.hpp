// SPDX-License-Identifier: Apache-2.0
// A backend at work on a small model with random weights, as a host uses it.
#pragma once

#include "depthlens/abi/backend.h"
#include "depthlens/reference/weights_view.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace depthlens {

using sequences = std::vector<std::vector<std::int32_t>>;

// What a logit lens says at the last position of each sequence; two targets: the model's own top-1, and id 1.
struct trial_readings {
  std::size_t layers = 0;                 // L
  std::vector<std::int32_t> final_top;    // (P)
  std::vector<std::uint32_t> rank, ties;  // (2 P, L)
  std::vector<float> logprob;             // (2 P, L)
  std::vector<float> entropy, kl;         // (P, L)
  std::vector<std::int32_t> top;          // (P, L)
  std::vector<float> top_logprob;         // (P, L)
  bool operator==(const trial_readings&) const = default;
};

class trial_model {
 public:
  // Throws what the backend reports.
  trial_model(const dlens_backend& backend, const reference::random_model& weights);
  ~trial_model();
  trial_model(const trial_model&) = delete;

  // All sequences in one pack, none of their beginnings shared. [any thread]
  trial_readings read(const sequences& all) const;
  reference::weights_view& weights() { return view_; }

 private:
  reference::weights_view view_;
  const std::uint32_t n_layers_;
  dlens_model* model_ = nullptr;
  dlens_lens* lens_ = nullptr;
};

// Random sequences of 1..longest ids.
sequences random_sequences(std::uint32_t vocabulary, std::size_t n, std::size_t longest);

// "" where the readings are those of depthlens/reference, up to rounding; else how they differ.
std::string difference(const reference::random_model& weights, const sequences& all,
                       const trial_readings& found);

}  // namespace depthlens
