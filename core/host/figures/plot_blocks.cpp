// SPDX-License-Identifier: Apache-2.0
#include "plot_blocks.hpp"

#include "gnuplot_text.hpp"
#include "panel_axes.hpp"
#include "style.hpp"
#include "text_width.hpp"

#include <limits>
#include <map>
#include <string_view>
#include <utility>

namespace depthlens {

namespace {

constexpr double no_value = std::numeric_limits<double>::quiet_NaN();
using row = plot_row;
constexpr row nothing = {no_value, no_value, no_value, no_value, no_value, no_value, no_value, no_value};

// Of the columns of a block, by kind.
std::vector<std::string> column_names(const figure_spec& figure, const panel_spec& panel, bool band) {
  if (band) return {panel.x, panel.y};
  switch (figure.kind) {
    case figure_kind::stacked_bars:
      if (!panel.low.empty())
        return {panel.x, panel.y, "low", "high", "labelled", panel.low, panel.high, "whisker"};
      return {panel.x, panel.y, "low", "high", "labelled"};
    case figure_kind::grouped_bars:
      return {panel.x, panel.y, "left", "right"};
    case figure_kind::density:
      return {panel.x, "density"};
    default:
      if (!panel.low.empty()) return {panel.x, panel.y, "lone", panel.low, panel.high};
      return {panel.x, panel.y, "lone"};
  }
}

class block_builder {
 public:
  block_builder(const figure_spec& figure, const figure_data& data, const page_layout& page)
      : figure_(figure), data_(data), page_(page) {}

  std::vector<plot_block> build() {
    for (std::size_t p = 0; p < data_.panels.size(); ++p) {
      std::map<double, double> stacks;
      const panel_data& panel = data_.panels[p];
      const double step = bar_step(panel);
      for (std::size_t i = 0; i < panel.series.size(); ++i) {
        plot_block block{.panel = p, .series = panel.series[i].series, .rows = {}};
        switch (figure_.kind) {
          case figure_kind::lines:
            line(panel.series[i], block);
            break;
          case figure_kind::stacked_bars:
            stacked(panel, i, stacks, step, block);
            break;
          case figure_kind::grouped_bars:
            grouped(panel, i, step, block);
            break;
          case figure_kind::density:
            density(panel.series[i], block);
            break;
        }
        block.drawn = !block.rows.empty();
        if (!block.drawn) block.rows.push_back(nothing);
        out_.push_back(std::move(block));
        if (spec(out_.back()).has(DLENS_PANEL_INTERVAL_X)) outline(out_.back().series, panel.series[i], p);
      }
    }
    return std::move(out_);
  }

 private:
  const panel_spec& spec(const plot_block& block) const { return figure_.panels[block.panel]; }

  // gnuplot fills between two curves of y alone; around x it is an outline, up one side and down the other.
  void outline(std::size_t of, const panel_series& series, std::size_t p) {
    plot_block block{.panel = p, .series = of, .rows = {}, .band = true};
    const auto& points = series.points;
    for (const figure_point& point : points)
      if (has_interval(p, point)) block.rows.push_back({point.low, point.y});
    for (auto at = points.rbegin(); at != points.rend(); ++at)
      if (has_interval(p, *at)) block.rows.push_back({at->high, at->y});
    block.drawn = block.rows.size() > 2;
    if (block.rows.empty()) block.rows.push_back(nothing);
    out_.push_back(std::move(block));
  }
  bool has_interval(std::size_t p, const figure_point& point) const {
    return can_be_drawn(figure_.panels[p], point) && std::isfinite(point.low) && std::isfinite(point.high);
  }

  void line(const panel_series& series, plot_block& block) const {
    const auto& points = series.points;
    const auto seen = [&](std::size_t i) {
      return i < points.size() && can_be_drawn(spec(block), points[i]);
    };
    bool any = false;
    for (std::size_t i = 0; i < points.size(); ++i) {
      const bool lone = seen(i) && !seen(i + 1) && (i == 0 || !seen(i - 1));
      any = any || seen(i);
      block.lone_points = block.lone_points || lone;
      block.rows.push_back(seen(i)
                               ? row{points[i].x, points[i].y, double(lone), points[i].low, points[i].high}
                               : row{no_value, no_value, 0, no_value, no_value});
    }
    if (!any) block.rows.clear();
  }

  void stacked(const panel_data& panel, std::size_t i, std::map<double, double>& stacks, double step,
               plot_block& block) const {
    for (const figure_point& point : panel.series[i].points) {
      if (!can_be_drawn(spec(block), point)) continue;
      double& top = stacks[point.x];
      const double low = top;
      top += point.y;
      const bool fits = label_fits(block, step, point.y);
      block.labels = block.labels || fits;
      const double at = whisker_shift(panel, i, step) + (top > 0.9995 ? no_value : point.x);
      block.rows.push_back({point.x, point.y, low, top, double(fits), point.low, point.high, at});
    }
  }

  // Those of one bar stand beside each other. The top of all is 100 %, and has none.
  static double whisker_shift(const panel_data& panel, std::size_t i, double step) {
    const auto n = static_cast<double>(panel.series.size());
    return n > 2 ? 0.5 * step * (static_cast<double>(i) / (n - 2) - 0.5) : 0;
  }

  // Does "12.3%" fit into the bar? Labels in only the bars of a few layers would look like a mistake, so
  // their number is limited too.
  bool label_fits(const plot_block& block, double step, double share) const {
    if (!spec(block).has(DLENS_PANEL_PERCENT_Y)) return false;
    const panel_layout& panel = page_.panels[block.panel];
    const double x_points = (panel.right - panel.left) / (panel.x.high - panel.x.low);
    const double width = step * (1 - figure_style::bar_gap) * x_points;
    const double height = share * (panel.bottom - panel.top);
    return (panel.x.high - panel.x.low) / step < 14.5 && height >= figure_style::small_size + 1.5 &&
           text_width(share >= 0.9995 ? "100.0%" : "88.8%", figure_style::small_size) + 2 <= width;
  }

  void grouped(const panel_data& panel, std::size_t i, double step, plot_block& block) const {
    const double width = step * 0.84 / static_cast<double>(panel.series.size());
    const double left = -step * 0.42 + width * static_cast<double>(i);
    for (const figure_point& point : panel.series[i].points)
      if (can_be_drawn(spec(block), point))
        block.rows.push_back({point.x, point.y, point.x + left, point.x + left + width});
  }

  void density(const panel_series& series, plot_block& block) const {
    const kernel_density density = density_of(spec(block), series);
    if (!density.exists()) return;
    const figure_axis& axis = page_.panels[block.panel].x;
    for (int i = 0; i <= density_steps; ++i) {
      const double x = density_x(axis, i);
      block.rows.push_back({x, density.at(x)});
    }
  }

  const figure_spec& figure_;
  const figure_data& data_;
  const page_layout& page_;
  std::vector<plot_block> out_;
};

}  // namespace

std::vector<plot_block> make_blocks(const figure_spec& figure, const figure_data& data,
                                    const page_layout& page) {
  return block_builder(figure, data, page).build();
}

std::string dat_text(const figure_spec& figure, const figure_data& data,
                     const std::vector<plot_block>& blocks) {
  std::string out =
      "# " + figure_line(figure.title) + "\n# Blocks are separated by two blank lines; NaN = missing\n";
  for (std::size_t b = 0; b < blocks.size(); ++b) {
    const plot_block& block = blocks[b];
    const panel_spec& panel = figure.panels[block.panel];
    const std::string& name = data.series[block.series].name;
    if (b > 0) out += "\n\n";
    out += "# block " + std::to_string(b) + ": panel " + std::to_string(block.panel + 1);
    const std::string title = title_of(panel, data.panels[block.panel]);
    if (!title.empty()) out += " (" + figure_line(title) + ")";
    if (!name.empty()) out += ", " + figure_line(name);
    if (block.band) out += ", outline of the interval";
    out += "\n#";
    const std::vector<std::string> names = column_names(figure, panel, block.band);
    for (const std::string& column : names) out += " " + figure_line(column);
    out += '\n';
    for (const row& values : block.rows) {
      for (std::size_t c = 0; c < names.size(); ++c) {
        if (c > 0) out += ' ';
        out += gnuplot_number(values[c]);
      }
      out += '\n';
    }
  }
  return out;
}

}  // namespace depthlens
