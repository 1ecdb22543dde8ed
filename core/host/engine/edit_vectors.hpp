// SPDX-License-Identifier: Apache-2.0
// The vectors of a work's edits: which states they are made of, and how.
#pragma once

#include "engine/asked_work.hpp"

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace depthlens {

struct site_readings;

// (B) the sequence that each is read against; -1 = none.
std::vector<std::int64_t> held_against(const asked_work& work);

// Is it the copy of a state of the sequence that its own is read against? Both are in one pack, so no vector
// need be known before.
bool is_copied_in_pack(const state_edit& edit, std::int64_t held_against);

// The states that must be known before, of plain sequences, each once.
std::vector<state_place> states_needed(const asked_work& work);

class edit_vectors {
 public:
  // d_model: D. states: of every place that is needed, with its `hidden`.
  edit_vectors(std::size_t d_model, std::map<state_place, std::shared_ptr<const site_readings>> states)
      : d_model_(d_model), states_(std::move(states)) {}

  // (D) for an edit that has a vector. The same for the same states and seed, on every machine.
  std::vector<float> make(const state_edit& edit) const;

 private:
  std::size_t d_model_;
  std::map<state_place, std::shared_ptr<const site_readings>> states_;
};

}  // namespace depthlens
