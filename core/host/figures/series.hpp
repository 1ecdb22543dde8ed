// SPDX-License-Identifier: Apache-2.0
// The numbers behind a figure: one CSV, read once from front to back, as points of panels and series. Colours
// and dash patterns are numbers of groups here; what they look like is decided in style.hpp.
#pragma once

#include "figure_spec.hpp"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <optional>
#include <string>
#include <vector>

namespace depthlens {

// NaN = missing. For densities: each x that occurs, none missing, and in how many rows.
struct figure_point {
  double x, y;
  double low = std::numeric_limits<double>::quiet_NaN(), high = low;  // of an interval around y
};

// Have the point, and its x alone, a place on the axes of the panel?
inline bool x_can_be_drawn(const panel_spec& panel, const figure_point& point) noexcept {
  return std::isfinite(point.x) && (!panel.has(DLENS_PANEL_LOG_X) || point.x > 0);
}
inline bool can_be_drawn(const panel_spec& panel, const figure_point& point) noexcept {
  return x_can_be_drawn(panel, point) && std::isfinite(point.y) &&
         (!panel.has(DLENS_PANEL_LOG_Y) || point.y > 0);
}

// A series in the whole figure: the same name, colour and dash in every panel.
struct figure_series {
  std::string name;          // "" where the figure has no series column
  std::size_t color;         // number of its colour group, by first row
  std::size_t dash;          // number of its dash group, by first row; 0 = solid
  std::string control = {};  // of a control's series: what it is, as behind its name
  std::string run = {};      // of one of several runs: its label, as behind its name
};

// What a panel shows of a series, in the order of the rows (of densities: the first of each x).
struct panel_series {
  std::size_t series;  // index into figure_data::series
  std::vector<figure_point> points;
  std::optional<std::uint64_t> count, never;  // from the first row
};

struct panel_data {
  std::vector<panel_series> series;      // ascending by index: series come in the order of their first rows
  std::vector<std::string> categories;   // where x holds words, x of a point is an index into this
  std::optional<std::size_t> axes = {};  // panels that have the same number here have the same axes
  std::string run = {};                  // whose panel it is where runs stand beside each other: its label
};

// What stands above the panel: "RUN: TITLE", or the one of them that there is.
inline std::string title_of(const panel_spec& panel, const panel_data& data) {
  return data.run + (data.run.empty() || panel.title.empty() ? "" : ": ") + panel.title;
}

struct figure_data {
  figure_kind described_as = figure_kind::lines;  // beside a control, bars are drawn as lines
  std::vector<figure_series> series;
  std::vector<panel_data> panels;  // one for each panel of the figure
  std::size_t columns = 0;         // panels beside each other; 0 = as many as suit them
  std::string note = {};           // a line of its own below the subtitle; "" = none
};

// The limits keep a broken or hostile table from taking all memory or drawing for hours.
inline constexpr std::size_t max_figure_series = 64;
inline constexpr std::size_t max_figure_categories = 512;
inline constexpr std::size_t max_figure_points = std::size_t{1} << 23;

// Reads what `figure` shows. x of a LAYER_X panel may be a module name such as model.layers.7: the number
// after the last dot counts. A table without a header line has no rows. Memory: 32 bytes per point
// (per different x of a density, 64). Throws status::no_input, io or data, with file and line: no such
// column, no number, over a limit.
figure_data read_figure(const figure_spec& figure, const std::filesystem::path& csv);

// Adds what another table of the same form shows, with a dash pattern of its own and ", LABEL" behind the
// names; a series has the colour of its namesake. Throws status::data where there would be too many series.
void add_control(figure_data& data, const figure_data& control, const std::string& label);

}  // namespace depthlens
