// SPDX-License-Identifier: Apache-2.0
// The plot command of each panel: its bars, bands, lines and points, from the blocks of the .dat file; and
// how a series looks, in gnuplot's words.
#pragma once

#include "figure_spec.hpp"
#include "layout.hpp"
#include "plot_blocks.hpp"
#include "series.hpp"
#include "style.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace depthlens {

// "#0173B2"
std::string color_of(const figure_spec& figure, const figure_data& data, std::size_t series);
// "lc rgb '#0173B2' lw 1.4 dt (8,4)"
std::string line_of(const figure_series& series, const std::string& color,
                    double width = figure_style::line_width);
// "pt 7 ps 3.2*dot lc rgb '#0173B2'"
std::string marker_of(const figure_series& series, const std::string& color);

// The script has set `data` to the name of the .dat file, and `dot`. percent: the sign in labels of
// data, where gnuplot takes one of two backslashes away.
std::string plot_command(const figure_spec& figure, const figure_data& data, const page_layout& page,
                         const std::vector<plot_block>& blocks, std::size_t panel, std::string_view percent);

}  // namespace depthlens
