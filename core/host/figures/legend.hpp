// SPDX-License-Identifier: Apache-2.0
// The legend stands above the plot, in as many columns as fit: it never covers data and never is clipped.
#pragma once

#include "series.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace depthlens {

struct legend_entry {
  std::size_t series = 0;    // index into figure_data::series; behind the last one: a remark
  std::string name, counts;  // counts: "n = 57, 3 never", or ""
  bool drawn = true;         // false: nothing of it can be drawn, the text alone says that it exists
  bool of_all = false;       // the dashes of all series of a control or a run, in no colour
  std::string behind = {};   // what the name ends with, behind a comma: a run's label or a control
  bool operator==(const legend_entry&) const = default;
};

struct figure_legend {
  static constexpr double sample_gap = 4, column_gap = 9, row_height = 10;  // points
  std::vector<legend_entry> entries;                                        // row by row
  std::vector<std::string> texts;                                           // of the entries, as they fit
  double sample = 17;  // width of the piece of line, or of the box, before a text
  std::size_t columns = 1;
  std::vector<double> column_left;  // (columns)
  std::size_t rows() const noexcept { return (entries.size() + columns - 1) / columns; }
  double height() const noexcept { return static_cast<double>(rows()) * row_height; }
};

// What the legend of one panel says: "NAME (n = 57, 3 never)"; for a density that has no curve since all
// its values are equal, "NAME (n = 57, all at 2)". n of a density without a count column is the number of
// its values. A control whose series differ from their namesakes by one dash pattern alone is one entry; so
// is each of several runs, where they count the same of every series. Bars that are missing get a remark.
// No entries where there is only one series without a name and nothing to count.
std::vector<legend_entry> legend_entries(const figure_spec& figure, const figure_data& data,
                                         std::size_t panel);

// One legend for all panels, where they say the same of every series; panels of runs beside each other may
// count differently: "n = 103 and 102", in the order of the runs. Nothing where each panel needs its own.
std::optional<std::vector<legend_entry>> entries_of_page(
    const figure_data& data, const std::vector<std::vector<legend_entry>>& of_panels);

// Puts the entries, row by row, into as many columns as `width` points hold; names that are too long are
// shortened in the middle, or in the middle of the run or the control behind them.
figure_legend arrange_legend(std::vector<legend_entry> entries, figure_kind kind, double width);

}  // namespace depthlens
