// SPDX-License-Identifier: Apache-2.0
#include "drawn_figure.hpp"

#include "axis.hpp"
#include "gnuplot_text.hpp"

#include <algorithm>

namespace depthlens {

std::string words_about(const figure_run& run) {
  const std::string lens = run.lens.empty()
                               ? ""
                               : figure_line(run.lens, 40) +
                                     (run.control.empty()           ? " lens"
                                      : run.control_label == "null" ? " lens and its null"
                                                                    : " lens and " + run.control_label) +
                                     ", ";
  return lens + with_commas(run.prompts) + (run.prompts == 1 ? " prompt" : " prompts") +
         (run.part.empty() ? "" : " of a part of the run, " + figure_line(run.part, 60));
}

std::string words_about_intervals(const figure_spec& figure) {
  const bool any = std::any_of(figure.panels.begin(), figure.panels.end(),
                               [](const panel_spec& panel) { return !panel.low.empty(); });
  if (!any) return "";
  return is_bars(figure.kind) ? ", 95 % whiskers" : ", 95 % bands";
}

drawn_figure read_drawn(const figure_spec& given, const figure_run& run, const std::filesystem::path& csv) {
  drawn_figure out{given, read_figure(given, csv)};
  if (!run.control.empty()) {
    add_control(out.data, read_figure(given, run.control), run.control_label);
    out.figure.kind = figure_kind::lines;
  }
  // Bars have no room for it.
  const bool with_baseline = !given.baseline.empty() && out.figure.kind == figure_kind::lines &&
                             (!given.controlled_baseline || !run.control.empty());
  if (with_baseline) {
    figure_spec text = given;
    for (panel_spec& panel : text.panels) {
      panel.y = given.baseline;
      panel.low = panel.high = "";  // those are around y
    }
    add_control(out.data, read_figure(text, csv), "by corpus frequency");
  }
  return out;
}

}  // namespace depthlens
