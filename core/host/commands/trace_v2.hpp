// SPDX-License-Identifier: Apache-2.0
// The JSON of `depthlens trace --format v2`: the layout in which LogitLensKit keeps readings for its viewer.
#pragma once

#include "commands/trace_reads.hpp"
#include "depthlens/tokenizer/tokenizer.hpp"

#include <cstdint>
#include <string>

namespace depthlens {

// Errors: status::usage where more probabilities may be followed than memory is for. generate: tokens that
// will be added to each prompt.
void check_v2_size(const trace_result& all, std::uint32_t generate);

// One line: {"meta":{"version":2,"model":"..."},"input":[token...],"layers":[0...],"topk":[[[token...]]],
// "tracked":[{token:[probability...]}],"entropy":[[...]]}. topk and entropy are (layer, position), tracked
// has for each position the tokens of its lists with one probability a layer; numbers have 5 decimals. Layer
// i is the output of block i there, so the embedding is left out. Two tokens of one text at one position
// differ by " (#ID)" behind it.
// tracked: of the first lens, with the tokens of likely_tokens() as targets.
std::string trace_v2_json(const trace_result& all, const trace_prompt& p, const position_readings& tracked,
                          const tokenizer& t);

}  // namespace depthlens
