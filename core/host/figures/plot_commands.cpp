// SPDX-License-Identifier: Apache-2.0
#include "plot_commands.hpp"

#include "gnuplot_text.hpp"
#include "panel_axes.hpp"

#include <depthlens/base/error.hpp>

#include <algorithm>
#include <string_view>

namespace depthlens {

namespace look = figure_style;

std::string color_of(const figure_spec& figure, const figure_data& data, std::size_t series) {
  std::size_t n = 0;
  for (const figure_series& s : data.series) n = std::max(n, s.color + 1);
  return std::string(
      look::color(data.described_as, figure.kind, figure.ordered, data.series[series].color, n));
}

std::string line_of(const figure_series& series, const std::string& color, double width) {
  const std::string_view dash = look::dash(series.dash, series.color);
  return cat("lc rgb '", color, "' lw ", gnuplot_coordinate(width), dash.empty() ? "" : " dt ", dash);
}

std::string marker_of(const figure_series& series, const std::string& color) {
  return cat("pt ", look::marker(series.color), " ps 3.2*dot lc rgb '", color, "'");
}

namespace {

// The parts of a block from the back to the front, each behind "data index N using ". `y` begins a column as
// it is drawn: the table has shares where the axis has per cent.
std::vector<std::string> bars_of(const plot_block& block, figure_kind kind, double step,
                                 const figure_axis& axis, const std::string& color,
                                 std::string_view percent) {
  const std::string y = axis.percent ? "100*$" : "$";
  if (kind == figure_kind::grouped_bars) {  // one of no height would look as if it was missing
    const std::string least = gnuplot_number(0.008 * (axis.high - axis.low));
    return {cat("1:(0):3:4:(0):(abs(", y, "2) < ", least, " ? ", least, " : ", y,
                "2) with boxxyerror lc rgb '", color, "' fs solid 1 noborder")};
  }
  const std::string half = gnuplot_coordinate(step * (1 - look::bar_gap) / 2);
  std::vector<std::string> out = {cat("1:(0):($1-", half, "):($1+", half, "):(", y, "3):(", y,
                                      "4) with boxxyerror lc rgb '", color,
                                      "' lw 0.6 fs solid 1 border lc rgb '#FFFFFF'")};
  if (block.labels)
    out.push_back(cat("1:(50*($3+$4)):($5 > 0 ? sprintf('%.1f', 100*$2).'", percent,
                      "' : '') with labels font ',", gnuplot_coordinate(look::small_size), "' tc rgb '",
                      look::label_color(color), "'"));
  return out;
}

// In front of all bars: the interval of a stack's height, a line without ends.
std::string whisker_of(const figure_axis& axis) {
  const std::string y = axis.percent ? "100*$" : "$";
  return cat("8:(", y, "6):(0):(", y, "7-", y, "6) with vectors nohead lw 1 lc rgb '", look::whisker, "'");
}

// What lies behind all lines; "" = nothing.
std::string band_of(const plot_block& block, const panel_spec& panel, const figure_axis& axis,
                    const std::string& color) {
  const std::string y = axis.percent ? "100*$" : "$";
  const std::string look = cat(" fc rgb '", color, "' fs transparent solid 0.2 noborder");
  if (block.band) return cat("1:(", y, "2) with filledcurves closed", look);
  if (panel.low.empty() || panel.has(DLENS_PANEL_INTERVAL_X)) return "";
  return cat("1:(", y, "4):(", y, "5) with filledcurves", look);
}

std::vector<std::string> curve_of(const plot_block& block, const panel_spec& panel, const figure_axis& axis,
                                  const figure_series& series, const std::string& color) {
  const std::string y = axis.percent ? "100*$" : "$", points = "with points " + marker_of(series, color);
  std::vector<std::string> out;
  if (block.band) return out;
  out.push_back(cat("1:(", y, "2) with lines ", line_of(series, color)));
  if (!panel.y.empty() && panel.has(DLENS_PANEL_MARKERS))
    out.push_back(cat("1:(", y, "2) every ", 1 + block.rows.size() / 16, " ", points));
  else if (block.lone_points)
    out.push_back(cat("1:($3 > 0 ? ", y, "2 : NaN) ", points));
  return out;
}

}  // namespace

std::string plot_command(const figure_spec& figure, const figure_data& data, const page_layout& page,
                         const std::vector<plot_block>& blocks, std::size_t panel, std::string_view percent) {
  const double step = bar_step(data.panels[panel]);
  const figure_axis& axis = page.panels[panel].y;
  const panel_spec& spec = figure.panels[panel];
  std::string list;
  const auto each_block = [&](const auto& parts_of) {
    for (std::size_t b = 0; b < blocks.size(); ++b) {
      if (blocks[b].panel != panel || !blocks[b].drawn) continue;
      for (const std::string& part : parts_of(blocks[b], color_of(figure, data, blocks[b].series)))
        list += cat(list.empty() ? "" : ", \\\n     ", "data index ", b, " using ", part);
    }
  };
  using parts = std::vector<std::string>;
  if (is_bars(figure.kind)) {
    each_block([&](const plot_block& block, const std::string& color) {
      return bars_of(block, figure.kind, step, axis, color, percent);
    });
    if (!spec.low.empty())
      each_block([&](const plot_block&, const std::string&) { return parts{whisker_of(axis)}; });
  } else {
    each_block([&](const plot_block& block, const std::string& color) {
      const std::string band = band_of(block, spec, axis, color);
      return band.empty() ? parts{} : parts{band};
    });
    each_block([&](const plot_block& block, const std::string& color) {
      return curve_of(block, spec, axis, data.series[block.series], color);
    });
  }
  return "plot " + (list.empty() ? "NaN" : list);
}

}  // namespace depthlens
