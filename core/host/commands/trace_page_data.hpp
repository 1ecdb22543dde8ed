// SPDX-License-Identifier: Apache-2.0
// The readings in the page of `depthlens trace --html`, as JSON that can stand inside <script>.
#pragma once

#include "commands/trace_reads.hpp"
#include "commands/trace_v2_read.hpp"
#include "depthlens/tokenizer/tokenizer.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace depthlens {

// Tokens are numbers, from 0 in the order in which they are first met; "texts" and "ids" say which they are.
// Each prompt has for each lens lists over its cells, position by position, within each by layer: "top" and
// "p" (k for each cell), "rank" (of the final top-1; 0 = it has none), "entropy" (in hundredths). "followed"
// has for each followed token the cells in which it has a probability of at least "least", as pairs of the
// distance from the cell before and the probability. Probabilities are in ten-thousandths; -1 in "top" stands
// for no token, and where it is the first for a reading that is not finite. read: prompts of files behind
// those of this command; such a one has its own "model" and "layers", one plane for all lenses, -1 for an
// "entropy" that is not known, and "tracked", the tokens that "followed" is about there, each with the
// positions ("where") at which its probability is known. t: null where no prompt is this command's.
std::string trace_page_data(const trace_result& all, const std::vector<std::int32_t>& followed,
                            const std::vector<position_readings>& readings,
                            const std::vector<v2_prompt>& read, const tokenizer* t);

}  // namespace depthlens
