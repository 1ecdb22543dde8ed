// SPDX-License-Identifier: Apache-2.0
// The readings of `depthlens trace` as a table for a terminal.
#pragma once

#include "commands/trace_result.hpp"
#include "depthlens/tokenizer/tokenizer.hpp"

#include <cstddef>
#include <string>

namespace depthlens {

// How much of a terminal there is.
struct table_look {
  bool shades = false;      // likely tokens stand on a background that says how likely
  std::size_t columns = 0;  // fewer tokens are shown where they do not fit; 0 = any number fits
};

// Layers x top tokens for each position and lens, layer n first.
std::string trace_table(const trace_result& all, const trace_prompt& p, const tokenizer& t,
                        const table_look& look);

}  // namespace depthlens
