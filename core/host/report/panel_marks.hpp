// SPDX-License-Identifier: Apache-2.0
// What a panel shows of its series, as SVG: bands, lines, points and bars, each series a group that carries
// the values behind them for the script of the page (page_script.hpp).
#pragma once

#include "figures/drawn_figure.hpp"
#include "figures/layout.hpp"
#include "figures/plot_blocks.hpp"

#include <cstddef>
#include <string>

namespace depthlens {

// A coordinate: two decimals.
std::string svg_number(double value);

// A figure of one panel, and where that stands.
struct laid_out_panel {
  drawn_figure drawn;
  page_layout page;  // with one panel

  const panel_spec& spec() const { return drawn.figure.panels.front(); }
  const panel_data& data() const { return drawn.data.panels.front(); }
  const panel_layout& place() const { return page.panels.front(); }
  // Points on the page of a value of either axis; y as the table has it, not in per cent.
  double x(double value) const;
  double y(double value) const;
};
// Panel number `p` alone; n_layers as for lay_out.
laid_out_panel lay_out_panel(const drawn_figure& drawn, std::size_t p, unsigned n_layers);

// <g class="series" ...>: the block is one that is drawn.
std::string marks_of(const laid_out_panel& panel, const plot_block& block);
// In front of all marks: the intervals of a stack's heights, those of one bar beside each other.
std::string whiskers_of(const laid_out_panel& panel, const plot_block& block);

// The piece of line, or the box, that stands before the name of a series in a legend: an <svg>.
std::string sample_of(const drawn_figure& drawn, std::size_t series);
// Of a control, whose dashes are those of all its series.
std::string sample_of_all(const drawn_figure& drawn, std::size_t series);

}  // namespace depthlens
