// SPDX-License-Identifier: Apache-2.0
// The places of which two runs both kept states, behind the same text.
#pragma once

#include "comparison/compared_run.hpp"
#include "comparison/state_rows.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace depthlens {

struct joined_place {
  const state_rows::row *row, *other;
  std::uint64_t cluster;  // of its prompt
};

// Places of prompts that have the same tokens in both runs' tables of prompts. Behind the prompt, in an
// answer or in what a model said, all tokens from there on must be known, from places, and the same.
// Ascending. Errors: those of reading the tables.
std::vector<joined_place> joined_states(const compared_run& run, const state_rows& mine,
                                        const compared_run& other, const state_rows& others,
                                        const std::string& study);

}  // namespace depthlens
