// SPDX-License-Identifier: Apache-2.0
// divergence.csv: by how much what two models say differs, layer by layer, from the states that their runs
// kept (--save-states). Read by the logit lens of each model, in double, from its files.
#pragma once

#include "comparison/compared_run.hpp"

#include <boost/json.hpp>

#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace depthlens {

struct divergence_table {
  boost::json::array about;          // of each study of two runs: how many places were joined, how many not
  std::vector<std::string> remarks;  // one line each: what is not compared, and why
  std::vector<std::string> studies;  // of which there are lines
};

// Throws status::no_input where a run kept no states of an experiment that others have too.
void require_states(std::span<const compared_run> runs);

// Of every two runs, both ways. Written whole or not at all. Opens the models where run.json says they are.
// Throws status::no_input where a run has no states or its model is not there, config where a model is not
// the one that the run read, data for broken files of states, stopped where that is asked for.
divergence_table write_divergence(std::span<const compared_run> runs, const std::filesystem::path& csv);

// Its figures, one for each study: OUT/divergence_STUDY.FORMAT. Throws what draw_figure throws.
std::vector<std::filesystem::path> draw_divergence(
    std::span<const compared_run> runs, const divergence_table& table, const std::filesystem::path& csv,
    const std::filesystem::path& plots_dir, std::span<const std::string> formats, const figure_look& look);

}  // namespace depthlens
