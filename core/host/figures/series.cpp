// SPDX-License-Identifier: Apache-2.0
#include "series.hpp"

#include <depthlens/base/error.hpp>

#include <algorithm>
#include <utility>

namespace depthlens {

void add_control(figure_data& data, const figure_data& control, const std::string& label) {
  const std::size_t n = data.series.size();
  if (n + control.series.size() > max_figure_series)
    fail(status::data, "more than ", max_figure_series, " series with those of the control");
  std::size_t dashes = 0, colors = 0;
  for (const figure_series& s : data.series) {
    dashes = std::max(dashes, s.dash + 1);
    colors = std::max(colors, s.color + 1);
  }
  for (const figure_series& s : control.series) {
    const auto same = std::find_if(data.series.begin(), data.series.begin() + static_cast<std::ptrdiff_t>(n),
                                   [&](const figure_series& other) { return other.name == s.name; });
    const bool known = same != data.series.begin() + static_cast<std::ptrdiff_t>(n);
    const std::size_t color = known ? same->color : colors++;
    data.series.push_back({.name = s.name.empty() ? label : s.name + ", " + label,
                           .color = color,
                           .dash = dashes + s.dash,
                           .control = label});
  }
  for (std::size_t p = 0; p < data.panels.size() && p < control.panels.size(); ++p) {
    if (data.panels[p].categories != control.panels[p].categories) continue;
    for (panel_series s : control.panels[p].series) {
      s.series += n;
      data.panels[p].series.push_back(std::move(s));
    }
  }
}

}  // namespace depthlens
