// SPDX-License-Identifier: Apache-2.0
// The texts of trace --generate.
#pragma once

#include "commands/trace_result.hpp"
#include "model/running_model.hpp"

#include <cstdint>

namespace depthlens {

// Lets the model say up to n_tokens tokens behind each prompt and adds them to it, with a position to read
// for each, where it comes next. Prompts without tokens stay as they are. Errors: status::data for a prompt
// that has no room for so many.
void say_texts(const opened_model& model, running_model& on, std::uint32_t n_tokens, trace_result& all);

}  // namespace depthlens
