// SPDX-License-Identifier: Apache-2.0
// Where everything of a figure stands on its page. Lengths are points (1/72 inch), counted from the top left
// corner, at the size in which a paper prints the figure: 3.35 inches wide for one panel, 6.9 for more or for
// many bars, where nobody asks for another width.
#pragma once

#include "axis.hpp"
#include "figure_spec.hpp"
#include "legend.hpp"
#include "look.hpp"
#include "series.hpp"

#include <string>
#include <vector>

namespace depthlens {

struct panel_layout {
  double left = 0, right = 0, top = 0, bottom = 0;  // of the plot, without ticks and labels
  double outer = 0;                                 // left of the tick labels: title and legend begin there
  double run_y = 0, title_y = 0, legend_y = 0;      // middle of these lines, top of the legend
  bool empty = false;                               // nothing can be drawn
  figure_axis x, y;
  figure_legend legend;          // no entries where the page has one for all
  std::string run, title;        // run: a line above the title, "" where that says it too
  std::string x_label, y_label;  // "" where the neighbour's says the same
};

struct page_layout {
  static constexpr double edge = 4;  // around the page
  double width = 0, height = 0;
  std::string title, subtitle, note;  // the subtitle is the caller's
  double title_size = 0, title_y = 0, subtitle_y = 0, note_y = 0, legend_y = 0;
  figure_legend legend;
  std::vector<panel_layout> panels;
};

// n_layers = 0: layer axes end at the last layer in the data. A page whose width is asked for has as many
// panels beside each other as are 2 inches wide.
page_layout lay_out(const figure_spec& figure, const figure_data& data, unsigned n_layers,
                    const figure_look& look = {});

}  // namespace depthlens
