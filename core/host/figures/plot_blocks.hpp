// SPDX-License-Identifier: Apache-2.0
// The numbers that are drawn, one block for each panel and series, as they stand in the .dat file beside the
// pictures: tidy columns that users can plot their own way. gnuplot addresses blocks by their number.
#pragma once

#include "figure_spec.hpp"
#include "layout.hpp"
#include "series.hpp"

#include <array>
#include <cstddef>
#include <string>
#include <vector>

namespace depthlens {

// One row holds, by kind (NaN = missing):
//   lines         x, y, 1 where the point has no neighbour to draw a line to, else 0; low, high: interval
//   a band        x, y: the outline of the intervals around x of the block before
//   stacked_bars  x, y, low, high (sums of y), 1 where a label fits in, else 0; low, high: interval,
//                 x of the whisker that shows it, NaN = none
//   grouped_bars  x, y, left, right
//   density       x, density
using plot_row = std::array<double, 8>;

struct plot_block {
  std::size_t panel = 0, series = 0;
  std::vector<plot_row> rows;  // the first columns of each
  bool drawn = false;          // false: the block is one row of NaN
  bool lone_points = false, labels = false, band = false;
};

std::vector<plot_block> make_blocks(const figure_spec& figure, const figure_data& data,
                                    const page_layout& page);

// The .dat file. Names appear in comment lines only.
std::string dat_text(const figure_spec& figure, const figure_data& data,
                     const std::vector<plot_block>& blocks);

}  // namespace depthlens
