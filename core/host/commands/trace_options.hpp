// SPDX-License-Identifier: Apache-2.0
// The command line of `depthlens trace`.
#pragma once

#include "commands/command.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace depthlens {

struct trace_request {
  std::vector<std::string> prompts;
  std::string positions;
  std::uint32_t top_k = 0;
  std::uint32_t generate = 0;  // tokens that the model says behind each prompt
  bool chat = false, experts = false;
  bool json = false;
  bool v2 = false;                // the JSON has the layout of LogitLensKit's version 2
  std::string html;               // file of the page; "" = none
  std::vector<std::string> read;  // files of readings that the page shows too
};

// Help is printed where it is asked for. Errors: status::usage.
parsed_options parse_trace_options(const arguments& args);

// Reads the prompts of a file too. Errors: status::usage, also for what cannot go together; those of the
// file.
trace_request asked_trace(const parsed_options& options);

}  // namespace depthlens
