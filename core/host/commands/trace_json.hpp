// SPDX-License-Identifier: Apache-2.0
// The readings of `depthlens trace` as one JSON object for each prompt.
#pragma once

#include "commands/trace_result.hpp"
#include "depthlens/tokenizer/tokenizer.hpp"

#include <string>

namespace depthlens {

// One line; strings are valid UTF-8 with broken bytes as \xNN. A reading for each position, lens and target.
// Readings that are not finite are null, their lists empty. Experts, where they are asked for, once for each
// position.
std::string trace_json(const trace_result& all, const trace_prompt& p, const tokenizer& t);

// The text that the model said.
std::string said_text(const trace_prompt& p, const tokenizer& t);

}  // namespace depthlens
