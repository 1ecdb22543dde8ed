// SPDX-License-Identifier: Apache-2.0
#include "plot_commands.hpp"

#include "gnuplot_text.hpp"
#include "panel_axes.hpp"
#include "style.hpp"

#include <depthlens/base/error.hpp>

#include <algorithm>
#include <string_view>

namespace depthlens {

series_looks::series_looks(const figure_spec& figure, const figure_data& data)
    : figure_(figure), data_(data) {
  for (const figure_series& s : data.series) n_colors_ = std::max(n_colors_, s.color + 1);
}

std::string series_looks::color(std::size_t series) const {
  return std::string(
      figure_style::color(data_.described_as, figure_.kind, data_.series[series].color, n_colors_));
}

std::string series_looks::line(std::size_t series, const std::string& color) const {
  const std::string_view dash = figure_style::dash(data_.series[series].dash, data_.series[series].color);
  return cat("lc rgb '", color, "' lw ", gnuplot_coordinate(figure_style::line_width),
             dash.empty() ? "" : " dt ", dash);
}

std::string series_looks::marker(std::size_t series) const {
  return cat("pt ", figure_style::marker(data_.series[series].color), " ps 3.2*dot lc rgb '", color(series),
             "'");
}

namespace {

// The parts of one block, from the back to the front.
class block_parts {
 public:
  block_parts(const figure_spec& figure, const figure_data& data, const page_layout& page,
              const plot_block& block, std::size_t number)
      : figure_(figure),
        block_(block),
        panel_(figure.panels[block.panel]),
        y_(page.panels[block.panel].y),
        step_(bar_step(data.panels[block.panel])),
        looks_(figure, data),
        from_(cat("data index ", number, " using ")),
        scale_(page.panels[block.panel].y.percent ? "100*" : "") {}

  std::vector<std::string> parts() const {
    if (figure_.kind == figure_kind::stacked_bars) return stacked();
    return figure_.kind == figure_kind::grouped_bars ? grouped() : curve();
  }

 private:
  std::string color() const { return looks_.color(block_.series); }

  std::vector<std::string> stacked() const {
    const std::string half = gnuplot_coordinate(step_ * (1 - figure_style::bar_gap) / 2);
    std::vector<std::string> out = {cat(from_, "1:(0):($1-", half, "):($1+", half, "):(", scale_, "$3):(",
                                        scale_, "$4) with boxxyerror lc rgb '", color(),
                                        "' lw 0.6 fs solid 1 border lc rgb '#FFFFFF'")};
    if (block_.labels)
      out.push_back(cat(from_, "1:(50*($3+$4)):($5 > 0 ? sprintf('%.1f%%', 100*$2) : '') with labels font ',",
                        gnuplot_coordinate(figure_style::small_size), "' tc rgb '",
                        figure_style::label_color(color()), "'"));
    return out;
  }

  // A bar of no height gets a little, since it would look like one that is missing.
  std::vector<std::string> grouped() const {
    return {cat(from_, "1:(0):3:4:(0):($2 == 0 ? ", gnuplot_number(0.008 * (y_.high - y_.low)), " : ", scale_,
                "$2) with boxxyerror lc rgb '", color(), "' fs solid 1 noborder")};
  }

  std::vector<std::string> curve() const {
    std::vector<std::string> out;
    if (!panel_.low.empty())
      out.push_back(cat(from_, "1:(", scale_, "$4):(", scale_, "$5) with filledcurves fc rgb '", color(),
                        "' fs transparent solid 0.2 noborder"));
    out.push_back(cat(from_, "1:(", scale_, "$2) with lines ", looks_.line(block_.series)));
    const std::string points = "with points " + looks_.marker(block_.series);
    if (figure_.kind == figure_kind::lines && panel_.has(DLENS_FIGURE_MARKERS))
      out.push_back(cat(from_, "1:(", scale_, "$2) every ", 1 + block_.rows.size() / 16, " ", points));
    else if (block_.lone_points)
      out.push_back(cat(from_, "1:($3 > 0 ? ", scale_, "$2 : NaN) ", points));
    return out;
  }

  const figure_spec& figure_;
  const plot_block& block_;
  const panel_spec& panel_;
  const figure_axis& y_;
  const double step_;
  const series_looks looks_;
  const std::string from_;   // "data index 3 using "
  const std::string scale_;  // "100*" where the table has shares and the axis per cent
};

}  // namespace

std::string plot_command(const figure_spec& figure, const figure_data& data, const page_layout& page,
                         const std::vector<plot_block>& blocks, std::size_t panel) {
  std::string list;
  for (std::size_t b = 0; b < blocks.size(); ++b)
    if (blocks[b].panel == panel && blocks[b].drawn)
      for (const std::string& part : block_parts(figure, data, page, blocks[b], b).parts())
        list += (list.empty() ? "" : ", \\\n     ") + part;
  return "plot " + (list.empty() ? "NaN" : list);
}

}  // namespace depthlens
