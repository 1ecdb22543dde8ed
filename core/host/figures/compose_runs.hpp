// SPDX-License-Identifier: Apache-2.0
// The same figure of several runs as one: their series in the same axes, or their panels beside each other.
// Which runs and figures may be compared is the caller's to know.
#pragma once

#include "compose.hpp"
#include "figure_spec.hpp"
#include "series.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace depthlens {

// overlay: in the same axes, the colour being the series', the dash pattern the run's. side: panels beside
// each other, those that show the same with the same axes.
enum class runs_layout { automatic, overlay, side };
std::string_view name_of(runs_layout layout);

// What one run shows of the figure.
struct figure_of_run {
  std::string label;  // tells the run from the others; not ""
  std::string model, lens;
  std::uint64_t prompts = 0;
  unsigned n_layers = 0;  // blocks
  std::string part = {};  // "2 of 3 shards" where the run is not whole
  figure_data data;       // as read_figure gives it
};

// `wanted`, or what takes its place: bars, more than four series and series with dash patterns of their own
// are not laid over each other unless that is asked for, and lines that dash patterns cannot tell apart
// never; panels that are too many for a page are not put beside each other. Nothing where neither is
// possible.
std::optional<runs_layout> layout_of_runs(const figure_spec& figure, std::span<const figure_of_run> runs,
                                          runs_layout wanted);

// Two runs or more; `layout` is overlay or side. Where the runs' models have different numbers of blocks,
// layer axes of lines and densities become the depth: layer / number of blocks. Throws status::data where
// there would be too many series.
composed_figure compose_runs(const figure_spec& figure, std::vector<figure_of_run> runs, runs_layout layout);

}  // namespace depthlens
