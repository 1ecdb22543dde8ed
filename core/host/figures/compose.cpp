// SPDX-License-Identifier: Apache-2.0
#include "compose.hpp"

#include "gnuplot_text.hpp"
#include "style.hpp"
#include "text_width.hpp"

#include <cstddef>
#include <utility>

namespace depthlens {

std::string subtitle_of(const composed_figure& composed, double width) {
  const double size = figure_style::text_size, room = width - text_width(composed.about, size);
  if (composed.models.size() == 1)
    return fit_text(composed.models[0], size, room, shorten::middle) + composed.about;
  std::vector<std::string> names;
  for (const std::string& name : composed.models) names.push_back(figure_line(name));
  if (text_width(listed(names), size) > room) {
    const double between = text_width(listed(std::vector<std::string>(names.size())), size);
    for (std::string& name : names)
      name = fit_text(name, size, (room - between) / static_cast<double>(names.size()), shorten::middle);
  }
  return listed(names) + composed.about;
}

composed_figure compose_figure(const figure_spec& figure, const figure_run& run,
                               const std::filesystem::path& csv) {
  drawn_figure drawn = read_drawn(figure, run, csv);
  std::string about = ", " + words_about(run) + words_about_intervals(drawn.figure);
  return {.figure = std::move(drawn.figure),
          .data = std::move(drawn.data),
          .n_layers = run.n_layers,
          .models = {run.model},
          .about = std::move(about)};
}

}  // namespace depthlens
