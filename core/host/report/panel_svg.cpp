// SPDX-License-Identifier: Apache-2.0
#include "report/panel_svg.hpp"

#include "depthlens/base/error.hpp"
#include "figures/panel_axes.hpp"
#include "figures/style.hpp"
#include "html/html_text.hpp"
#include "report/axis_ticks.hpp"

#include <boost/json.hpp>

#include <string_view>
#include <utility>

namespace depthlens {
namespace {

namespace look = figure_style;

constexpr double above = 7;  // of the plot: half of a tick's label
constexpr double tick = 3, short_tick = 1.8, gap = 2;
constexpr double overhang = 3;  // of marks at the edge of the plot

class panel_drawing {
 public:
  panel_drawing(const laid_out_panel& panel, const std::string& name)
      : panel_(panel), at_(panel.place()), name_(name) {}

  std::string svg() {
    const double top = at_.top - above;
    add("<svg class=\"panel", panel_.page.width > look::one_column ? " wide" : "", "\" viewBox=\"0 ",
        svg_number(top), " ", svg_number(panel_.page.width), " ", svg_number(panel_.page.height - top),
        "\" tabindex=\"0\" ", "role=\"application\" aria-roledescription=\"figure\" aria-label=\"",
        html_text(name_), "; arrow keys say values\"", for_script(), ">\n<g aria-hidden=\"true\">\n");
    x_axis();
    y_axis();
    labels();
    if (at_.empty)
      add("<text class=\"faint middle\" x=\"", svg_number((at_.left + at_.right) / 2), "\" y=\"",
          svg_number((at_.top + at_.bottom) / 2), "\">", nothing_in(panel_.drawn.figure, panel_.data()),
          "</text>\n");
    marks();
    add("</g></svg>\n");
    return std::move(out_);
  }

 private:
  template <class... Parts>
  void add(Parts&&... parts) {
    out_ += cat(std::forward<Parts>(parts)...);
  }

  std::string for_script() const {
    const panel_spec& spec = panel_.spec();
    std::string out = " data-x-label=\"" + html_text(spec.x_label.empty() ? spec.x : spec.x_label) + "\"";
    const bool density = panel_.drawn.figure.kind == figure_kind::density;
    out += " data-y-label=\"" +
           html_text(!spec.y_label.empty() ? spec.y_label
                     : density             ? "density"
                                           : spec.y) +
           "\"";
    if (at_.y.percent) out += " data-percent=\"yes\"";
    if (panel_.data().categories.empty()) return out;
    boost::json::array words;
    for (const std::string& word : panel_.data().categories) words.emplace_back(seen_text(word, 200));
    return out + " data-words=\"" + html_escaped(boost::json::serialize(words)) + "\"";
  }

  void x_axis() {
    std::string path =
        cat("M", svg_number(at_.left), " ", svg_number(at_.bottom), "H", svg_number(at_.right));
    for (const axis_tick& t : ticks_of(at_.x)) {
      const double x = panel_.x(t.at);
      path += cat("M", svg_number(x), " ", svg_number(at_.bottom), "v",
                  svg_number(t.label.empty() ? short_tick : tick));
      if (!t.label.empty())
        add("<text class=\"middle\" x=\"", svg_number(x), "\" y=\"", svg_number(at_.bottom + tick + gap + 7),
            "\">", html_text(t.label), "</text>\n");
    }
    add("<path class=\"axis\" d=\"", path, "\"/>\n");
  }

  void y_axis() {
    const bool bars = is_bars(panel_.drawn.figure.kind);
    std::string path = cat("M", svg_number(at_.left), " ", svg_number(at_.top), "V", svg_number(at_.bottom)),
                grid;
    for (const axis_tick& t : ticks_of(at_.y)) {
      const double y = at_.bottom - place_on(at_.y, t.at) * (at_.bottom - at_.top);
      path += cat("M", svg_number(at_.left), " ", svg_number(y), "h",
                  svg_number(-(t.label.empty() ? short_tick : tick)));
      if (t.label.empty()) continue;
      grid += cat("M", svg_number(at_.left), " ", svg_number(y), "H", svg_number(at_.right));
      add("<text class=\"end\" x=\"", svg_number(at_.left - tick - gap), "\" y=\"", svg_number(y + 2.8),
          "\">", html_text(t.label), "</text>\n");
    }
    add("<path class=\"grid\" d=\"", grid, "\"/>\n");
    if (!bars) add("<path class=\"axis\" d=\"", path, "\"/>\n");
  }

  void labels() {
    if (!at_.x_label.empty())
      add("<text class=\"middle\" x=\"", svg_number((at_.left + at_.right) / 2), "\" y=\"",
          svg_number(panel_.page.height - page_layout::edge - 1), "\">", html_text(at_.x_label), "</text>\n");
    const std::string y = svg_number((at_.top + at_.bottom) / 2);
    if (!at_.y_label.empty())
      add("<text class=\"middle\" transform=\"translate(", svg_number(page_layout::edge + 7), " ", y,
          ") rotate(-90)\">", html_text(at_.y_label), "</text>\n");
  }

  // An inner <svg> cuts off what lies beyond the plot.
  void marks() {
    const std::string left = svg_number(at_.left - overhang), top = svg_number(at_.top - overhang),
                      width = svg_number(at_.right - at_.left + 2 * overhang),
                      height = svg_number(at_.bottom - at_.top + 2 * overhang);
    add("<svg x=\"", left, "\" y=\"", top, "\" width=\"", width, "\" height=\"", height, "\" viewBox=\"",
        left, " ", top, " ", width, " ", height, "\">\n");
    const std::vector<plot_block> blocks = make_blocks(panel_.drawn.figure, panel_.drawn.data, panel_.page);
    for (const plot_block& block : blocks)
      if (block.drawn) out_ += marks_of(panel_, block);
    for (const plot_block& block : blocks)
      if (block.drawn) out_ += whiskers_of(panel_, block);
    add("</svg>\n");
  }

  const laid_out_panel& panel_;
  const panel_layout& at_;
  const std::string& name_;
  std::string out_;
};

}  // namespace

std::string panel_svg(const laid_out_panel& panel, const std::string& name) {
  return panel_drawing(panel, name).svg();
}

}  // namespace depthlens
