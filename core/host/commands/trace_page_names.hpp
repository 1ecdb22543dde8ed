// SPDX-License-Identifier: Apache-2.0
// What the readings on the page of `depthlens trace --html` are headed with, so that several of one model are
// told apart.
#pragma once

#include "commands/trace_result.hpp"
#include "commands/trace_v2_read.hpp"

#include <string>
#include <vector>

namespace depthlens {

// Of each prompt of a file: its model, and behind it the file where another file or this command has that
// model too: "SmolLM2 (v2.json)". The file goes by its name, or by its path where names are alike.
std::vector<std::string> headings_of_files(const trace_result& all, const std::vector<v2_prompt>& read);

// Of the prompts of this command: the model, and behind it the precision where a file has that model too and
// the precision is not f32.
std::string heading_of_command(const trace_result& all, const std::vector<v2_prompt>& read);

}  // namespace depthlens
