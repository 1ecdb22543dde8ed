// SPDX-License-Identifier: Apache-2.0
// What a run's tables of prompts say of the places of which it kept states.
#pragma once

#include "comparison/compared_run.hpp"
#include "comparison/state_rows.hpp"

#include <xxhash.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>

namespace depthlens {

struct place_prompt {
  XXH128_hash_t ids{};  // of the prompt's tokens, as they are written
  std::int64_t n_tokens = 0;
  std::uint64_t cluster = 0;
};

class place_prompts {
 public:
  place_prompts(const compared_run& run, std::string study) : run_(run), study_(std::move(study)) {}

  // nullptr: no table has it. Reads the tables of a data set when a place of another one was asked for
  // before, and forgets the former. Throws status::data for a broken table, no_input for one that is missing.
  const place_prompt* find(const kept_place& place);

 private:
  void open(const std::string& set);
  void read(const std::filesystem::path& csv);

  const compared_run& run_;
  std::string study_;
  std::optional<std::string> set_;
  // A study whose prompts are in a table for each category has a prompt several times, read at other
  // positions.
  bool by_position_ = false;
  std::map<std::pair<std::int64_t, std::int64_t>, place_prompt> prompts_;  // by id, and position or 0
};

}  // namespace depthlens
