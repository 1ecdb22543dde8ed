// SPDX-License-Identifier: Apache-2.0
// Prompts and positions as trace and bench take them: texts of a rows file, their token ids checked against
// the model, and --positions.
#pragma once

#include "model/opened_model.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace depthlens {

// The "prompt" of each row of a rows file (JSON or JSONL), at most `limit`.
std::vector<std::string> read_prompts(const std::string& file, std::uint64_t limit);

// Ids under the model's BOS policy. Errors: status::data for more tokens than the model takes, and for ids
// without a row in its embedding.
std::vector<std::int32_t> prompt_ids(const opened_model& model, std::string_view prompt);

// "all", "last" or a list like 0,3,-1, as ascending positions of a prompt of n tokens; none of an empty
// prompt.
std::vector<std::uint32_t> parse_positions(const std::string& text, std::size_t n);

}  // namespace depthlens
