// SPDX-License-Identifier: Apache-2.0
// What a figure shows, as its experiment described it (dlens_figure), in a form that the host keeps in
// run.json, so that figures can be drawn again from the CSVs when no plugin is loaded. Reading the CSV is
// series.hpp, drawing draw.hpp.
#pragma once

#include <depthlens/abi/figures.h>

#include <boost/json/object.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace depthlens {

enum class figure_kind : std::uint32_t {
  lines = DLENS_FIGURE_LINES,
  stacked_bars = DLENS_FIGURE_STACKED_BARS,
  grouped_bars = DLENS_FIGURE_GROUPED_BARS,
  density = DLENS_FIGURE_DENSITY,
};

inline bool is_bars(figure_kind kind) noexcept {
  return kind == figure_kind::stacked_bars || kind == figure_kind::grouped_bars;
}

// A flag that the host alone sets: x is the layer as a share of the blocks, and the axis spans 0..1.
inline constexpr std::uint32_t panel_depth_x = std::uint32_t{1} << 31;

// As dlens_panel; what may be NULL there is "" here.
struct panel_spec {
  std::uint32_t flags = 0;  // DLENS_PANEL_LOG_X ...
  std::string title;
  std::string x, y;  // column ids; y is "" for densities
  std::string x_label, y_label;
  std::string where;      // "column=value", "" = all rows
  std::string low, high;  // columns of an interval; "" = none
  bool has(std::uint32_t flag) const noexcept { return (flags & flag) != 0; }
  bool operator==(const panel_spec&) const = default;
};

// As dlens_figure; what may be NULL there is "" here. It has 1..max_panels panels.
struct figure_spec {
  static constexpr std::size_t max_panels = 24;  // two pages of a paper; more is a mistake

  figure_kind kind = figure_kind::lines;
  std::string id, file, title, table;
  std::string series, color, dash, count, never, baseline;  // column ids
  bool ordered = false, controlled_baseline = false;        // DLENS_DRAW_ORDERED, ..._CONTROLLED_BASELINE
  std::vector<panel_spec> panels;
  bool operator==(const figure_spec&) const = default;
};

// What a plugin and run.json must keep, so that the drawing code can trust the result: `broken` is told what
// is wrong, and throws.
void check_rules(const figure_spec& figure, const std::function<void(const std::string&)>& broken);

// Throws status::internal, naming the figure, for a description that breaks the rules of figures.h.
figure_spec from_abi(const dlens_figure& figure);

// Kind and flags are written as words; members that are "" are left out.
boost::json::object to_json(const figure_spec& figure);
// The opposite. The file may have been edited: throws status::data, naming the member, what was found and
// expected.
figure_spec figure_from_json(const boost::json::object& object);

}  // namespace depthlens
