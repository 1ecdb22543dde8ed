// SPDX-License-Identifier: Apache-2.0
#include "legend.hpp"

#include "axis.hpp"
#include "plot_blocks.hpp"
#include "style.hpp"
#include "text_width.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace depthlens {

namespace {

bool can_be_drawn(const panel_spec& panel, const panel_series& series) {
  for (const figure_point& p : series.points) {
    const bool x = std::isfinite(p.x) && (!panel.has(DLENS_FIGURE_LOG_X) || p.x > 0);
    if (x && std::isfinite(p.y) && (!panel.has(DLENS_FIGURE_LOG_Y) || p.y > 0)) return true;
  }
  return false;
}

// What follows the name: "n = 57, 3 never", "n = 57", "3 never" or nothing.
std::string counts_text(std::optional<std::uint64_t> count, std::optional<std::uint64_t> never) {
  std::string text;
  if (count) text = "n = " + with_commas(*count);
  if (never && *never > 0) text += (text.empty() ? "" : ", ") + with_commas(*never) + " never";
  return text;
}

}  // namespace

std::vector<legend_entry> legend_entries(const figure_spec& figure, const figure_data& data,
                                         std::size_t panel) {
  std::vector<legend_entry> entries;
  for (const panel_series& s : data.panels[panel].series) {
    legend_entry entry{s.series, data.series[s.series].name, "", true};
    std::optional<std::uint64_t> count = s.count;
    if (figure.kind == figure_kind::density) {
      const kernel_density density(density_values(figure.panels[panel], s));
      if (figure.count.empty()) count = static_cast<std::uint64_t>(density.count());
      entry.drawn = density.exists();
    } else {
      entry.drawn = can_be_drawn(figure.panels[panel], s);
    }
    entry.counts = counts_text(count, s.never);
    if (!entry.name.empty() || !entry.counts.empty()) entries.push_back(std::move(entry));
  }
  return entries;
}

figure_legend arrange_legend(std::vector<legend_entry> entries, figure_kind kind, double width) {
  figure_legend legend;
  if (is_bars(kind)) legend.sample = 8;
  const double before = legend.sample + figure_legend::sample_gap;
  std::vector<double> widths;
  for (const legend_entry& entry : entries) {
    // The counts stay whole, the name is shortened.
    std::string counts = entry.counts;
    if (!counts.empty() && !entry.name.empty()) counts = " (" + counts + ")";
    const double room = width - before - text_width(counts, figure_style::text_size);
    legend.texts.push_back(fit_text(entry.name, figure_style::text_size, room, shorten::middle) + counts);
    widths.push_back(before + text_width(legend.texts.back(), figure_style::text_size) +
                     figure_legend::column_gap);
  }
  // As few rows as possible, and no more columns than these rows need: 6 entries are 3 + 3, not 4 + 2.
  for (std::size_t rows = 1; rows <= entries.size(); ++rows) {
    legend.columns = (entries.size() + rows - 1) / rows;
    std::vector<double> columns(legend.columns, 0);
    for (std::size_t i = 0; i < widths.size(); ++i) {
      double& column = columns[i % legend.columns];
      column = std::max(column, widths[i]);
    }
    legend.column_left.clear();
    double left = 0;
    for (const double column : columns) {
      legend.column_left.push_back(left);
      left += column;
    }
    if (left - figure_legend::column_gap <= width) break;
  }
  legend.entries = std::move(entries);
  return legend;
}

}  // namespace depthlens
