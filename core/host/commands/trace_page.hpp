// SPDX-License-Identifier: Apache-2.0
// The page of `depthlens trace --html`: one file that holds its readings, style and script, and loads
// nothing. What it looks like and does is in the folder trace_page.
#pragma once

#include "commands/trace_reads.hpp"
#include "commands/trace_v2_read.hpp"
#include "depthlens/tokenizer/tokenizer.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace depthlens {

// How many tokens have their probability on the page everywhere, not only where they are among the likeliest:
// 256, on large pages fewer, because a backend counts the rank of each in every cell.
std::size_t tokens_to_follow(const trace_result& all);

// Errors: status::usage where there are more cells than a browser shows at ease. generate: tokens that will
// be added to each prompt.
void check_page_size(const trace_result& all, std::uint32_t generate, const std::vector<v2_prompt>& read);
inline constexpr std::size_t most_page_cells = 50000;

// followed: sorted ids; readings: of each prompt, with -1 and these as targets; read, t: as in
// trace_page_data.hpp. The same bytes for the same readings.
std::string trace_page(const trace_result& all, const std::vector<std::int32_t>& followed,
                       const std::vector<position_readings>& readings, const std::vector<v2_prompt>& read,
                       const tokenizer* t);

}  // namespace depthlens
