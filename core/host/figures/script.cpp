// SPDX-License-Identifier: Apache-2.0
#include "script.hpp"

#include "glyphs.hpp"
#include "gnuplot_text.hpp"
#include "panel_axes.hpp"
#include "plot_commands.hpp"
#include "style.hpp"
#include "tex_text.hpp"

#include <depthlens/base/error.hpp>

#include <cmath>
#include <cstddef>
#include <string_view>
#include <utility>

namespace depthlens {

namespace {

namespace look = figure_style;

std::string number(double value) { return gnuplot_coordinate(value); }
std::string place(double x, double y) { return "screen X(" + number(x) + "), screen Y(" + number(y) + ")"; }

class script_builder {
 public:
  script_builder(const composed_figure& composed, const page_layout& page,
                 const std::vector<plot_block>& blocks, const std::string& stem, script_letters letters)
      : figure_(composed.figure),
        data_(composed.data),
        look_(composed.look),
        page_(page),
        blocks_(blocks),
        stem_(stem),
        letters_(letters) {}

  std::string build() {
    head();
    for (std::size_t p = 0; p < page_.panels.size(); ++p) panel(p);
    if (page_.panels.size() > 1) add("unset multiplot");
    add("unset output");
    return std::move(out_);
  }

 private:
  template <class... Parts>
  void add(Parts&&... parts) {
    out_ += cat(std::forward<Parts>(parts)...);
    out_ += '\n';
  }

  bool for_tex() const { return letters_ == script_letters::tex; }
  std::string seen(const std::string& text) const {
    if (for_tex()) return tex_text(figure_line(text));
    return letters_ == script_letters::all ? text : drawable_text(text);
  }
  // As tick formats and as texts made in a plot command take it; of the latter gnuplot takes one of two
  // backslashes away.
  std::string_view tick_percent() const { return for_tex() ? "\\%%" : "%%"; }
  std::string_view text_percent() const { return for_tex() ? "\\\\%" : "%"; }
  // Cut above where TeX reads it: a half of an escape is none.
  std::size_t longest() const { return for_tex() ? 100 * max_figure_text : max_figure_text; }
  std::string quoted(const std::string& text) const { return gnuplot_quote(seen(text), longest()); }
  bool bars() const { return is_bars(figure_.kind); }
  // gnuplot's own is black.
  std::string in_ink(std::string_view words) const {
    return look_.ink == figure_look().ink ? "" : cat(words, "'", look_.ink, "'");
  }
  // Font sizes, line widths and the diameters of markers are given in points; fontscale, linewidth and `dot`,
  // all of them measured, make each terminal obey.
  void head() {
    add("# Draws its picture with: gnuplot NAME.gp");
    add("# or, as SVG or PDF: gnuplot -e \"format = 'svg'\" NAME.gp");
    add("if (!exists('format')) format = '", for_tex() ? "tikz" : "png", "'");
    if (!for_tex())
      add("if (format ne 'png' && format ne 'svg' && format ne 'pdf') exit error 'expected png, svg or pdf; ",
          "depthlens plot draws other formats'");
    add("if (!exists('picture')) picture = ", gnuplot_file_name("./" + stem_ + "."), " . format");
    add("data = ", gnuplot_file_name("./" + stem_ + ".dat"));
    add("set encoding utf8");
    if (for_tex())
      tex_terminal();
    else
      terminals();
    add("set output picture");
    add("# Places on the page are points (1/72 inch) from its top left corner.");
    add("X(points) = 1.0 * points / ", number(page_.width));
    add("Y(points) = 1 - 1.0 * points / ", number(page_.height));
    add("unset key");
    add("set border ", bars() ? 1 : 3, " lw ", number(look::axis_width), in_ink(" lc rgb "));
    add("set tics out nomirror scale 0.5, 0.3", in_ink(" textcolor rgb "));
    if (bars()) add("set ytics scale 0");
    if (bars()) add("set grid ytics back lt 1 lc rgb '", look_.grid, "' lw 0.5");
    if (page_.panels.size() > 1) add("set multiplot");
  }

  std::string inches(double points) const { return cat(number(look_.scale * points / 72), "in"); }

  // Letters are those of the document around it, a little smaller than those that were laid out: Computer
  // Modern is wider than Arial. Line widths are in units of 0.4 points.
  void tex_terminal() {
    add("dot = 0.16; set terminal tikz size ", inches(page_.width), ",", inches(page_.height), " font ',",
        number(look::text_size), "' fontscale ", number(0.92 * look_.scale), " linewidth ",
        number(2.5 * look_.scale),
        look_.paper == figure_look().paper ? "" : cat(" background '", look_.paper, "'"));
  }

  void terminals() {
    const double w = page_.width, h = page_.height, scale = look_.scale;
    const auto pixels = [scale](double points, double per_inch) {
      return number(std::round(points * scale * per_inch / 72));
    };
    const std::string font = cat(" font 'Liberation Sans,", number(look::text_size), "' ");
    // Viewers choose the font of an SVG: Arial has the same widths, is known to all, and Linux takes
    // Liberation for it.
    const std::string svg_font = cat(" font 'Arial,", number(look::text_size), "' ");
    const double dpi = look::png_dpi;
    const std::string paper = cat(" background '", look_.paper, "'");
    const auto scaled = [&](double value) { return gnuplot_number(std::round(value * scale * 1e4) / 1e4); };
    add("if (format eq 'png') dot = ", number(dpi / 300 * 0.575), "; set terminal pngcairo noenhanced size ",
        pixels(w, dpi), ",", pixels(h, dpi), font, "fontscale ", number(scale * dpi / 96), " linewidth ",
        number(scale * dpi / 72), paper);
    add("if (format eq 'svg') dot = 0.222; set terminal svg noenhanced size ", pixels(w, 96), ",",
        pixels(h, 96), svg_font, "fontscale ", scaled(1.333), " linewidth ", scaled(1.333), paper);
    add("if (format eq 'pdf') dot = 0.16; set terminal pdfcairo noenhanced size ", inches(w), ",", inches(h),
        font, "fontscale ", scaled(0.75), " linewidth ", scaled(2), paper);
  }

  void label(const std::string& text, double x, double y, std::string_view more) {
    if (text.empty()) return;
    const bool coloured = more.find(" tc ") != std::string_view::npos;
    add("set label ", quoted(text), " at ", place(x, y), " ", more, coloured ? "" : in_ink(" tc rgb "));
  }

  void panel(std::size_t p) {
    const panel_layout& panel = page_.panels[p];
    add("");
    add("# Panel ", p + 1);
    if (p == 0) {
      const std::string size = cat("left font ',", number(page_.title_size), "'");
      label(page_.title, page_layout::edge, page_.title_y, size);
      label(page_.subtitle, page_layout::edge, page_.subtitle_y, cat("left tc rgb '", look_.soft_ink, "'"));
      label(page_.note, page_layout::edge, page_.note_y, cat("left tc rgb '", look_.soft_ink, "'"));
      legend(page_.legend, page_layout::edge, page_.legend_y);
    } else {
      add("unset label; unset arrow; unset object");
    }
    label(panel.run, panel.outer, panel.run_y, "left");
    label(panel.title, panel.outer, panel.title_y, "left");
    legend(panel.legend, panel.outer, panel.legend_y);
    const std::string ink = in_ink(" tc rgb ");
    add("set xlabel ", quoted(panel.x_label), ink, "; set ylabel ", quoted(panel.y_label), ink);
    if (panel.empty)
      add("set label '", nothing_in(figure_, data_.panels[p]), "' at graph 0.5, graph 0.5 center tc rgb '",
          look_.faint_ink, "'");
    add("set lmargin at screen X(", number(panel.left), "); set rmargin at screen X(", number(panel.right),
        ")");
    add("set tmargin at screen Y(", number(panel.top), "); set bmargin at screen Y(", number(panel.bottom),
        ")");
    axis("x", panel.x);
    axis("y", panel.y);
    add(plot_command(figure_, data_, page_, blocks_, p, text_percent()));
  }

  void legend(const figure_legend& legend, double left, double top) {
    for (std::size_t i = 0; i < legend.entries.size(); ++i) {
      const legend_entry& entry = legend.entries[i];
      const double x = left + legend.column_left[i % legend.columns];
      const double y = top + (static_cast<double>(i / legend.columns) + 0.5) * figure_legend::row_height;
      // gnuplot joins neighbouring lines of one colour and width to one SVG path, whatever their dashes.
      const double line_width = look::line_width + (i % 2 == 0 ? 0 : 0.01);
      if (entry.drawn) sample(entry, x, y, legend.sample, line_width);
      label(legend.texts[i], x + legend.sample + figure_legend::sample_gap, y,
            entry.drawn ? "left" : cat("left tc rgb '", look_.faint_ink, "'"));
    }
  }

  void sample(const legend_entry& entry, double x, double y, double width, double line_width) {
    const std::string color = entry.of_all ? std::string(look_.ink) : color_of(figure_, data_, entry.series);
    if (bars()) {
      add("set object rectangle from ", place(x, y + 3.5), " to ", place(x + width, y - 3.5),
          " fs solid 1 noborder fc rgb '", color, "'");
      return;
    }
    add("set arrow from ", place(x, y), " to ", place(x + width, y), " nohead ",
        line_of(data_.series[entry.series], color, line_width));
    if (has_markers() && !entry.of_all)
      add("set label '' at ", place(x + width / 2, y), " point ",
          marker_of(data_.series[entry.series], color));
  }

  bool has_markers() const {
    for (const panel_spec& panel : figure_.panels)
      if (panel.has(DLENS_PANEL_MARKERS)) return true;
    return false;
  }

  void axis(std::string_view name, const figure_axis& axis) {
    const auto value = gnuplot_number;
    add(axis.log ? "set logscale " : "unset logscale ", name);
    add("set ", name, "range [", value(axis.low), ":", value(axis.high), "]",
        axis.reversed ? " reverse" : " noreverse");
    add("set format ", name, axis.percent ? cat(" '%g", tick_percent(), "'") : " '%g'");
    add(axis.log ? "set m" : "unset m", name, axis.log ? "tics 10" : "tics");
    if (axis.words.empty())
      add("set ", name, "tics ", value(axis.step));
    else
      add("set ", name, "tics (", named_ticks(axis.words), ")");
    if (axis.log && axis.high <= 10 * axis.low)  // two ticks alone would say little
      add("set ", name, "tics add (", value(2 * axis.low), ", ", value(5 * axis.low), ")");
  }

  std::string named_ticks(const std::vector<std::string>& words) const {
    std::string list;
    for (std::size_t i = 0; i < words.size(); ++i)
      if (!words[i].empty())
        list += cat(list.empty() ? "" : ", ", gnuplot_quote_tick(seen(words[i]), longest()), " ", i);
    return list;
  }

  const figure_spec& figure_;
  const figure_data& data_;
  const figure_look& look_;
  const page_layout& page_;
  const std::vector<plot_block>& blocks_;
  const std::string& stem_;
  const script_letters letters_;
  std::string out_;
};

}  // namespace

std::string script_text(const composed_figure& composed, const page_layout& page,
                        const std::vector<plot_block>& blocks, const std::string& stem,
                        script_letters letters) {
  return script_builder(composed, page, blocks, stem, letters).build();
}

}  // namespace depthlens
