// SPDX-License-Identifier: Apache-2.0
// Runs compared: figures of several of them in one, differences.csv, and comparison.json, which says what was
// compared and what was not.
#pragma once

#include "figures/compose_runs.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace depthlens {

struct comparison_request {
  std::vector<std::filesystem::path> folders;  // of two runs or more
  std::vector<std::string> labels;             // of each; empty = what tells them apart
  std::filesystem::path out;
  runs_layout layout = runs_layout::automatic;
  std::vector<std::string> formats;
  figure_look look = {};
  bool kl = false;  // between the models at each layer, from the states that the runs kept
};

// A folder that may not become that of figures or a comparison of these runs: one that is or holds one, lies
// in one, or is that of another run or lies in it. Throws status::usage or config.
void refuse_as_output(const std::filesystem::path& out, const std::vector<std::filesystem::path>& runs);

// Of a run with several lenses: the differences of each two of them, controls among them, as
// OUT/differences.csv. Nothing where it has one lens, or no table to be compared.
std::optional<std::filesystem::path> compare_lenses(const std::filesystem::path& run,
                                                    const std::filesystem::path& out);

// Writes OUT/differences.csv, OUT/divergence.csv if asked for, OUT/plots/ and, last, OUT/comparison.json;
// says on stderr what the runs differ in and what of them is not compared. Returns the files written. Throws
// what open_runs, refuse_other_data, pair_rows, write_divergence and draw_composed throw; status::usage or
// config where OUT lies in, holds or is the folder of a run.
std::vector<std::filesystem::path> compare_runs(const comparison_request& request);

}  // namespace depthlens
