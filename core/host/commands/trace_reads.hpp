// SPDX-License-Identifier: Apache-2.0
// The readings that `depthlens trace` is made of, and further ones of the same positions.
#pragma once

#include "commands/trace_result.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

namespace depthlens {

// What is read of a prompt's positions, in their order.
using position_readings = std::vector<std::shared_ptr<const site_readings>>;

// The ids that are wanted at a position: sorted, each once, -1 = the final top-1.
using targets_at = std::function<std::vector<std::int32_t>(const trace_prompt&, const trace_reading&)>;

// All positions of all prompts, in one go.
std::vector<position_readings> read_targets(const evaluator& run, const trace_result& all,
                                            const targets_at& targets);

// Fills in the results of all positions, for the targets that were asked for.
void read_positions(const evaluator& run, trace_result& all);

// The tokens that are among the likeliest of any layer at a position, by one lens: sorted by id.
std::vector<std::int32_t> likely_tokens(const trace_result& all, const site_readings& r, std::size_t lens);

// The likeliest ones of all prompts, positions, layers and lenses, at most so many, with the targets that
// were asked for: sorted.
std::vector<std::int32_t> likeliest_tokens(const trace_result& all, std::size_t most);

}  // namespace depthlens
