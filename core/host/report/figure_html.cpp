// SPDX-License-Identifier: Apache-2.0
#include "report/figure_html.hpp"

#include "depthlens/base/error.hpp"
#include "figures/axis.hpp"
#include "figures/layout.hpp"
#include "figures/style.hpp"
#include "html/html_text.hpp"
#include "report/panel_marks.hpp"
#include "report/panel_svg.hpp"

#include <utility>
#include <vector>

namespace depthlens {
namespace {

std::size_t points_in(const figure_data& data) {
  std::size_t n = 0;
  for (const panel_data& panel : data.panels)
    for (const panel_series& s : panel.series) n += s.points.size();
  return n;
}

std::string legend_html(const drawn_figure& drawn, const std::vector<legend_entry>& entries) {
  if (entries.empty()) return "";
  std::string out = "<ul class=\"legend\">\n";
  for (const legend_entry& entry : entries) {
    out += entry.drawn ? "<li>" : "<li class=\"faint\">";
    if (entry.of_all)
      out += sample_of_all(drawn, entry.series);
    else if (entry.drawn)
      out += sample_of(drawn, entry.series);
    out += isolated(entry.name);
    const bool both = !entry.name.empty() && !entry.counts.empty();
    if (!entry.counts.empty())
      out += " <span class=\"soft\">" + html_text(both ? "(" + entry.counts + ")" : entry.counts) + "</span>";
    out += "</li>\n";
  }
  return out + "</ul>\n";
}

std::string panel_html(const drawn_figure& drawn, std::size_t p, const std::vector<legend_entry>& legend,
                       unsigned n_layers) {
  const panel_spec& spec = drawn.figure.panels[p];
  const laid_out_panel panel = lay_out_panel(drawn, p, n_layers);
  const std::string title = drawn.figure.title + (spec.title.empty() ? "" : ": " + spec.title);
  const bool wide = panel.page.width > figure_style::one_column;
  std::string out = cat("<div class=\"panel-box", wide ? " wide-box" : "", "\">\n");
  if (!spec.title.empty()) out += "<h4>" + isolated(spec.title) + "</h4>\n";
  out += legend_html(drawn, legend);
  return out + "<div class=\"scroll\">" + panel_svg(panel, title) + "</div>\n</div>\n";
}

std::string panels_html(const drawn_figure& drawn, unsigned n_layers) {
  const page_layout page = lay_out(drawn.figure, drawn.data, n_layers);
  std::string out = legend_html(drawn, page.legend.entries) + "<div class=\"panels\">\n";
  for (std::size_t p = 0; p < page.panels.size(); ++p)
    out += panel_html(drawn, p, page.panels[p].legend.entries, n_layers);
  return out + "</div>\n";
}

}  // namespace

std::string figure_html(const run_figure& figure, const std::string& id) {
  const drawn_figure drawn = read_drawn(figure.figure, figure.about, figure.csv);
  std::string tables = "<code>data/" + html_text(figure.csv.filename().string()) + "</code>";
  if (const auto& control = figure.about.control; !control.empty())
    tables += " and <code>data/" + html_text(control.filename().string()) + "</code>";
  std::string out = "<figure id=\"" + html_text(id) + "\">\n<figcaption><h3>" + isolated(drawn.figure.title) +
                    "</h3>\n<p class=\"soft\">" +
                    html_text(words_about(figure.about) + words_about_intervals(drawn.figure)) + "; from " +
                    tables + "</p></figcaption>\n";
  if (const std::size_t n = points_in(drawn.data); n > most_points_on_page)
    out += cat("<p>Its ", with_commas(n), " points are too many for this page; it is <code>plots/",
               html_text(figure.stem), "</code> in the folder of the run.</p>\n");
  else
    out += panels_html(drawn, figure.about.n_layers);
  return out + "</figure>\n";
}

}  // namespace depthlens
