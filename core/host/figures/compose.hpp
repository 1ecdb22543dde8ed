// SPDX-License-Identifier: Apache-2.0
// What a figure shows, with what stands below its title, before it is drawn: of one run; several runs in one
// figure are compose_runs.hpp.
#pragma once

#include "drawn_figure.hpp"
#include "figure_spec.hpp"
#include "look.hpp"
#include "series.hpp"

#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace depthlens {

struct composed_figure {
  figure_spec figure;
  figure_data data;
  unsigned n_layers = 0;
  std::vector<std::string> models;  // the second line of the title begins with them
  std::string about;                // and goes on with this
  figure_look look = {};
};

// Throws what read_drawn throws.
composed_figure compose_figure(const figure_spec& figure, const figure_run& run,
                               const std::filesystem::path& csv);

// The second line of the title, at most `width` points wide: names of models give way where they are too
// long.
std::string subtitle_of(const composed_figure& composed, double width);

}  // namespace depthlens
