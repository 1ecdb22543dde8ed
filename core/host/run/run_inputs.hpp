// SPDX-License-Identifier: Apache-2.0
// What a run works on: its model, lenses and data sets, opened and surveyed. Nothing is computed or written
// for it.
#pragma once

#include "engine/study_runner.hpp"
#include "engine/study_session.hpp"
#include "model/model_chat.hpp"
#include "model/opened_model.hpp"
#include "run/run_lenses.hpp"
#include "run/run_request.hpp"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

namespace depthlens {

// Its parts refer to each other, so it stays where it is. [main]
struct run_inputs {
  // Throws what opened_model::open, run_lenses and the experiments throw. Tells the user what is left out.
  explicit run_inputs(run_request asked);
  run_inputs(const run_inputs&) = delete;

  std::uint64_t records_wanted() const;  // of all studies
  std::vector<running_lens> running_lenses() const;
  std::vector<std::filesystem::path> files_read() const;
  std::optional<shuffle_rule> shuffle() const;  // of --null shuffled

  run_request request;  // with the data sets of an earlier run of the folder
  opened_model model;
  std::unique_ptr<model_chat> chat;  // null = prompts are sent as they are
  run_lenses lenses;
  run_context context;
  std::vector<std::unique_ptr<study_session>> sessions;  // of the request's studies
};

}  // namespace depthlens
