// SPDX-License-Identifier: Apache-2.0
// Every figure that two or more runs have, as one figure of these runs.
#pragma once

#include "comparison/compared_run.hpp"
#include "figures/compose_runs.hpp"

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace depthlens {

// What one figure shows of which runs.
struct compared_figure {
  struct part {
    std::size_t run;  // index into the runs
    const run_figure* figure;
  };
  std::vector<part> parts;                      // two or more, in the order of the runs
  bool across_lenses = false;                   // the runs have no lens in common
  std::string stem;                             // of its files
  runs_layout layout = runs_layout::automatic;  // as it is drawn
};

struct figures_to_compare {
  std::vector<compared_figure> figures;  // in the order in which the runs have them
  std::vector<std::string> remarks;      // one line each: what is not compared, and why
};

// Figures are the same by id, experiment, lens and description. Where no two runs have the lens of a figure
// in common, the first of each is taken.
figures_to_compare match_figures(std::span<const compared_run> runs);

// Draws them into a folder that exists and notes how. Returns the pictures; what cannot be drawn goes from
// the figures to remarks.
std::vector<std::filesystem::path> draw_compared(std::span<const compared_run> runs, figures_to_compare& what,
                                                 runs_layout layout, const std::filesystem::path& plots_dir,
                                                 std::span<const std::string> formats,
                                                 const figure_look& look);

}  // namespace depthlens
