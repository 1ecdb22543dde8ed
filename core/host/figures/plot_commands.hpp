// SPDX-License-Identifier: Apache-2.0
// The plot command of each panel: its bars, bands, lines and points, from the blocks of the .dat file.
#pragma once

#include "figure_spec.hpp"
#include "layout.hpp"
#include "plot_blocks.hpp"
#include "series.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace depthlens {

// Colours and dashes of the series of one figure, as gnuplot takes them. Refers to both.
class series_looks {
 public:
  series_looks(const figure_spec& figure, const figure_data& data);
  std::string color(std::size_t series) const;  // #RRGGBB
  // "lc rgb '#RRGGBB' lw 1.4 dt (8,4)"
  std::string line(std::size_t series) const { return line(series, color(series)); }
  std::string line(std::size_t series, const std::string& color) const;
  // "pt 7 ps 3.2*dot lc rgb '#RRGGBB'"
  std::string marker(std::size_t series) const;

 private:
  const figure_spec& figure_;
  const figure_data& data_;
  std::size_t n_colors_ = 0;
};

// The script has set `data` to the name of the .dat file, and `dot`.
std::string plot_command(const figure_spec& figure, const figure_data& data, const page_layout& page,
                         const std::vector<plot_block>& blocks, std::size_t panel);

}  // namespace depthlens
