// SPDX-License-Identifier: Apache-2.0
#include "report/panel_marks.hpp"

#include "depthlens/base/error.hpp"
#include "figures/gnuplot_text.hpp"
#include "figures/panel_axes.hpp"
#include "figures/plot_commands.hpp"
#include "figures/style.hpp"
#include "html/html_text.hpp"
#include "report/axis_ticks.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <string_view>
#include <vector>

namespace depthlens {
namespace {

namespace look = figure_style;

constexpr double marker_radius = 1.9;

// Six digits: more than a hand on a mouse can tell, and than people read.
std::string six_digits(double value) {
  if (!std::isfinite(value)) return "-";
  std::array<char, 32> digits;
  const auto end =
      std::to_chars(digits.data(), digits.data() + digits.size(), value, std::chars_format::general, 6).ptr;
  return {digits.data(), end};
}

// "(8,4)", in halves of the line's width, as SVG takes it.
std::string dash_attribute(const figure_series& series) {
  const std::string_view dash = look::dash(series.dash, series.color);
  std::string out;
  double number = 0;
  for (const char c : dash) {
    if (c >= '0' && c <= '9') number = 10 * number + (c - '0');
    if (c != ',' && c != ')') continue;
    out += (out.empty() ? "" : " ") + svg_number(number * look::line_width / 2);
    number = 0;
  }
  return out.empty() ? "" : " stroke-dasharray=\"" + out + "\"";
}

// The shapes of figure_style::markers, in their order.
std::string marker(std::size_t color_group, double x, double y) {
  using corners = std::vector<std::array<double, 2>>;
  static const std::array<corners, 6> shapes = {
      corners{},
      corners{{-0.9, -0.9}, {0.9, -0.9}, {0.9, 0.9}, {-0.9, 0.9}},
      corners{{0, -1.15}, {1.1, 0.85}, {-1.1, 0.85}},
      corners{{0, -1.25}, {1.25, 0}, {0, 1.25}, {-1.25, 0}},
      corners{{0, 1.15}, {1.1, -0.85}, {-1.1, -0.85}},
      corners{{0, -1.1}, {1.05, -0.34}, {0.65, 0.89}, {-0.65, 0.89}, {-1.05, -0.34}}};
  const corners& shape = shapes[color_group % shapes.size()];
  if (shape.empty()) return cat("<circle cx=\"", svg_number(x), "\" cy=\"", svg_number(y), "\" r=\"1.8\"/>");
  std::string path;
  for (const auto& [dx, dy] : shape)
    path += cat(path.empty() ? "M" : "L", svg_number(x + dx * marker_radius), " ",
                svg_number(y + dy * marker_radius));
  return "<path d=\"" + path + "Z\"/>";
}

// A series while it is drawn: marks, and for the script where each value stands and what it is.
class series_marks {
 public:
  series_marks(const laid_out_panel& panel, const plot_block& block)
      : panel_(panel),
        block_(block),
        series_(panel.drawn.data.series[block.series]),
        color_(color_of(panel.drawn.figure, panel.drawn.data, block.series)) {}

  std::string svg() {
    if (block_.band) return outline();
    switch (panel_.drawn.figure.kind) {
      case figure_kind::stacked_bars:
        stacked();
        break;
      case figure_kind::grouped_bars:
        grouped();
        break;
      default:
        curve();
    }
    std::string out = "<g class=\"series\" data-name=\"" + html_text(series_.name) + "\"" + count();
    out += " data-at=\"" + at_ + "\" data-x=\"" + x_ + "\" data-y=\"" + y_ + '"';
    if (!panel_.spec().low.empty()) out += " data-low=\"" + low_ + "\" data-high=\"" + high_ + '"';
    return out + ">" + marks_ + "</g>\n";
  }

 private:
  using row = plot_row;

  std::string count() const {
    for (const panel_series& s : panel_.data().series) {
      if (s.series != block_.series) continue;
      if (s.count) return " data-n=\"" + with_commas(*s.count) + '"';
      if (panel_.drawn.figure.kind == figure_kind::density)
        return cat(" data-n=\"",
                   with_commas(static_cast<std::uint64_t>(density_of(panel_.spec(), s).count())), "\"");
    }
    return "";
  }

  static void add(std::string& list, const std::string& item) { list += (list.empty() ? "" : " ") + item; }

  // `half`: width and height of half a bar.
  void note(const row& values, double x, double y, const std::array<double, 2>& half = {}) {
    std::string at = svg_number(x) + "," + svg_number(y);
    if (half[0] > 0) at += "," + svg_number(half[0]) + "," + svg_number(half[1]);
    add(at_, at);
    add(x_, six_digits(values[0]));
    add(y_, six_digits(values[1]));
    const std::size_t interval = panel_.drawn.figure.kind == figure_kind::stacked_bars ? 5 : 3;
    add(low_, six_digits(values[interval]));
    add(high_, six_digits(values[interval + 1]));
  }

  void curve() {
    const bool points = !panel_.spec().y.empty() && panel_.spec().has(DLENS_PANEL_MARKERS);
    const std::size_t every = 1 + block_.rows.size() / 16;
    const bool lines = panel_.drawn.figure.kind == figure_kind::lines;
    std::string line, shapes;
    bool pen_down = false;
    for (std::size_t i = 0; i < block_.rows.size(); ++i) {
      row values = block_.rows[i];
      const bool seen = std::isfinite(values[0]) && std::isfinite(values[1]);
      if (seen) {
        const double x = panel_.x(values[0]), y = panel_.y(values[1]);
        line += cat(pen_down ? "L" : "M", svg_number(x), " ", svg_number(y));
        if (points ? i % every == 0 : lines && values[2] > 0) shapes += marker(series_.color, x, y);
        note(values, x, y);
      }
      pen_down = seen;
    }
    if (!panel_.spec().low.empty() && !panel_.spec().has(DLENS_PANEL_INTERVAL_X)) marks_ += bands();
    marks_ +=
        cat("<path class=\"line\" stroke=\"", color_, "\"", dash_attribute(series_), " d=\"", line, "\"/>");
    if (!shapes.empty()) marks_ += cat("<g fill=\"", color_, "\">", shapes, "</g>");
  }

  // A band around x is an outline already.
  std::string outline() const {
    std::string out;
    for (const row& values : block_.rows)
      out +=
          cat(out.empty() ? "M" : "L", svg_number(panel_.x(values[0])), " ", svg_number(panel_.y(values[1])));
    return block_.drawn ? cat("<path class=\"band\" fill=\"", color_, "\" d=\"", out, "Z\"/>\n") : "";
  }

  // Around each stretch of the line that has an interval: there along the high ends, and back along the low.
  std::string bands() const {
    std::string out;
    std::vector<row> stretch;
    const auto close = [&] {
      const bool alone = stretch.size() == 1;  // as wide as a thick line
      if (alone) stretch.push_back(stretch.front());
      const auto corner = [&](std::size_t i, std::size_t end) {
        const double beside = !alone ? 0 : i == 0 ? -1 : 1;
        return svg_number(panel_.x(stretch[i][0]) + beside) + " " + svg_number(panel_.y(stretch[i][end]));
      };
      for (std::size_t i = 0; i < stretch.size(); ++i) out += (i == 0 ? "M" : "L") + corner(i, 4);
      for (std::size_t i = stretch.size(); i-- > 0;) out += "L" + corner(i, 3);
      if (!stretch.empty()) out += "Z";
      stretch.clear();
    };
    for (const row& values : block_.rows)
      if (std::isfinite(values[0]) && std::isfinite(values[3]) && std::isfinite(values[4]))
        stretch.push_back(values);
      else
        close();
    close();
    return out.empty() ? "" : cat("<path class=\"band\" fill=\"", color_, "\" d=\"", out, "\"/>");
  }

  void bar(const row& values, double left, double right, double top, double bottom) {
    if (bottom < top) std::swap(top, bottom);
    marks_ +=
        cat("<rect class=\"bar\" fill=\"", color_, "\" x=\"", svg_number(left), "\" y=\"", svg_number(top),
            "\" width=\"", svg_number(right - left), "\" height=\"", svg_number(bottom - top), "\"/>");
    note(values, (left + right) / 2, (top + bottom) / 2, {(right - left) / 2, (bottom - top) / 2});
  }

  void stacked() {
    const double half = bar_step(panel_.data()) * (1 - look::bar_gap) / 2;
    std::string labels;
    for (const row& values : block_.rows) {
      const double low = panel_.y(values[2]), high = panel_.y(values[3]);
      bar(values, panel_.x(values[0] - half), panel_.x(values[0] + half), high, low);
      if (values[4] > 0)
        labels += cat("<text class=\"in-bar\" x=\"", svg_number(panel_.x(values[0])), "\" y=\"",
                      svg_number((low + high) / 2 + 2.5), "\">",
                      svg_number(std::round(values[1] * 1000) / 10), "%</text>");
    }
    if (!labels.empty()) marks_ += cat("<g fill=\"", look::label_color(color_), "\">", labels, "</g>");
  }

  // One of no height would look as if it was missing.
  void grouped() {
    const double zero = panel_.y(0), least = 0.008 * (panel_.place().bottom - panel_.place().top);
    for (const row& values : block_.rows) {
      double top = panel_.y(values[1]);
      if (std::abs(top - zero) < least) top = zero - least;
      bar(values, panel_.x(values[2]), panel_.x(values[3]), top, zero);
    }
  }

  const laid_out_panel& panel_;
  const plot_block& block_;
  const figure_series& series_;
  const std::string color_;
  std::string marks_, at_, x_, y_, low_, high_;
};

std::string line_sample(const figure_series& series, const std::string& color, const std::string& marks) {
  return cat("<svg class=\"sample\" width=\"30\" height=\"12\" viewBox=\"0 0 20 8\" aria-hidden=\"true\">",
             "<path class=\"line\" stroke=\"", color, "\"", dash_attribute(series), " d=\"M1 4H19\"/>", marks,
             "</svg>");
}

bool has_markers(const figure_spec& figure) {
  return std::any_of(figure.panels.begin(), figure.panels.end(),
                     [](const panel_spec& p) { return p.has(DLENS_PANEL_MARKERS); });
}

}  // namespace

std::string svg_number(double value) { return gnuplot_coordinate(value); }

double laid_out_panel::x(double value) const {
  const panel_layout& p = place();
  return p.left + place_on(p.x, value) * (p.right - p.left);
}

double laid_out_panel::y(double value) const {
  const panel_layout& p = place();
  const double part = place_on(p.y, p.y.percent ? 100 * value : value);
  // A log axis has no place for the end of an interval at zero or below: it lies beyond the plot.
  return p.bottom - (std::isnan(part) ? -1 : std::clamp(part, -1.0, 2.0)) * (p.bottom - p.top);
}

laid_out_panel lay_out_panel(const drawn_figure& drawn, std::size_t p, unsigned n_layers) {
  laid_out_panel out{drawn, {}};
  out.drawn.figure.panels = {drawn.figure.panels[p]};
  out.drawn.data.panels = {drawn.data.panels[p]};
  out.page = lay_out(out.drawn.figure, out.drawn.data, n_layers);
  return out;
}

std::string marks_of(const laid_out_panel& panel, const plot_block& block) {
  return series_marks(panel, block).svg();
}

std::string whiskers_of(const laid_out_panel& panel, const plot_block& block) {
  if (panel.drawn.figure.kind != figure_kind::stacked_bars || panel.spec().low.empty()) return "";
  std::string path;
  for (const auto& values : block.rows)
    if (std::isfinite(values[5]) && std::isfinite(values[6]) && std::isfinite(values[7]))
      path += cat("M", svg_number(panel.x(values[7])), " ", svg_number(panel.y(values[5])), "V",
                  svg_number(panel.y(values[6])));
  return path.empty() ? "" : "<path class=\"whisker\" d=\"" + path + "\"/>\n";
}

std::string sample_of(const drawn_figure& drawn, std::size_t series) {
  const figure_series& s = drawn.data.series[series];
  const std::string color = color_of(drawn.figure, drawn.data, series);
  if (is_bars(drawn.figure.kind))
    return cat("<svg class=\"sample\" width=\"12\" height=\"12\" viewBox=\"0 0 8 8\" aria-hidden=\"true\">",
               "<rect width=\"8\" height=\"8\" fill=\"", color, "\"/></svg>");
  const std::string marks =
      has_markers(drawn.figure) ? cat("<g fill=\"", color, "\">", marker(s.color, 10, 4), "</g>") : "";
  return line_sample(s, color, marks);
}

std::string sample_of_all(const drawn_figure& drawn, std::size_t series) {
  return line_sample(drawn.data.series[series], "currentColor", "");
}

}  // namespace depthlens
