// SPDX-License-Identifier: Apache-2.0
// A figure with its numbers as it is drawn: its own table, and beside it that of a control and a baseline.
#pragma once

#include "figure_spec.hpp"
#include "series.hpp"

#include <cstdint>
#include <filesystem>
#include <string>

namespace depthlens {

// What the second line of the title says, and what is drawn beside the figure.
struct figure_run {
  std::string model, lens;
  std::uint64_t prompts = 0;
  unsigned n_layers = 0;  // blocks: layer axes go from 0 to this; 0 = not known, they end where the data end
  std::filesystem::path control =
      {};  // a table of the same form, drawn beside as lines ", null"; empty = none
  std::string control_label = "null";
  std::string part = {};  // "2 of 3 shards" where the run is not whole
};

// "logit lens and its null, 12 prompts", and of which part where the run is not whole.
std::string words_about(const figure_run& run);
// What follows, where it shows intervals: ", 95 % bands".
std::string words_about_intervals(const figure_spec& figure);

struct drawn_figure {
  figure_spec figure;  // beside a control of the kind lines
  figure_data data;
};
// Throws what read_figure and add_control throw.
drawn_figure read_drawn(const figure_spec& figure, const figure_run& run, const std::filesystem::path& csv);

}  // namespace depthlens
