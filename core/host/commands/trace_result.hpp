// SPDX-License-Identifier: Apache-2.0
// What `depthlens trace` has read: prompts, positions, and what each lens says there.
#pragma once

#include "commands/trace_patch.hpp"
#include "engine/evaluator.hpp"
#include "model/expert_layout.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace depthlens {

struct trace_reading {
  std::uint32_t position;
  std::shared_ptr<const site_readings> result;  // of all lenses
};

struct trace_prompt {
  std::string text;
  std::vector<std::int32_t> ids;
  std::vector<trace_reading> readings;              // in order of position
  std::size_t said = 0;                             // the last so many ids are the model's own: --generate
  std::optional<trace_patch> patch = std::nullopt;  // --patch-from
};

struct trace_lens {
  std::string label;
  std::vector<std::int32_t> layers;  // (L) that it reads
};

struct trace_result {
  std::string model, precision;
  std::vector<trace_prompt> prompts;
  std::vector<trace_lens> lenses;
  std::uint32_t n_layers = 0;  // blocks
  std::uint32_t top_k = 0;
  std::vector<std::int32_t> targets;  // as asked for; -1 = the model's own final top-1
  expert_layout experts;              // empty = they are not asked for
};

// False where the model's own output holds NaN or infinity, so that it has no top-1.
bool output_is_finite(const trace_result& all, const site_readings& r);

// The token that is meant by `wanted`; nothing where that is the top-1 of an output that has none.
std::optional<std::int32_t> meant_token(const trace_result& all, const site_readings& r, std::int32_t wanted);

// Where a target is in the readings.
std::size_t target_index(const site_readings& r, std::int32_t wanted);

// Of all prompts, with `generate` more for each that has tokens.
std::size_t positions_read(const trace_result& all, std::uint32_t generate);

// "embed", "block.0.out", ...
std::string point_name(std::int32_t layer);

}  // namespace depthlens
