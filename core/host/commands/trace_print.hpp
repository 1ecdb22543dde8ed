// SPDX-License-Identifier: Apache-2.0
// The readings of `depthlens trace` as one JSON object for each prompt, or as a table for a terminal.
#pragma once

#include "commands/trace_patch.hpp"
#include "depthlens/tokenizer/tokenizer.hpp"
#include "engine/evaluator.hpp"
#include "model/expert_layout.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace depthlens {

struct trace_reading {
  std::uint32_t position;
  std::shared_ptr<const site_readings> result;  // of one lens
};

struct trace_prompt {
  std::string text;
  std::vector<std::int32_t> ids;
  std::vector<trace_reading> readings;              // in order of position
  std::size_t said = 0;                             // the last so many ids are the model's own: --generate
  std::optional<trace_patch> patch = std::nullopt;  // --patch-from
};

struct trace_result {
  std::vector<trace_prompt> prompts;
  std::vector<std::int32_t> layers;  // (L) read by the lens
  std::uint32_t n_layers = 0;        // blocks
  std::uint32_t top_k = 0;
  std::vector<std::int32_t> targets;  // as asked for; -1 = the model's own final top-1
  expert_layout experts;              // empty = they are not asked for
};

// False where the model's own output holds NaN or infinity, so that it has no top-1.
bool output_is_finite(const trace_result& all, const site_readings& r);

// One line; strings are valid UTF-8 with broken bytes as \xNN. Readings that are not finite are null, their
// lists empty. Experts, where they are asked for, once for each position.
std::string trace_json(const trace_result& all, const trace_prompt& p, const tokenizer& t);
// Layers x top tokens for each position, layer n first.
std::string trace_table(const trace_result& all, const trace_prompt& p, const tokenizer& t);

// Where a target is in the readings.
std::size_t target_index(const site_readings& r, std::int32_t wanted);
// The text, cut or filled up with blanks to so many characters.
std::string cell(const std::string& text, std::size_t width);

// "embed", "block.0.out", ...
std::string point_name(std::int32_t layer);

}  // namespace depthlens
