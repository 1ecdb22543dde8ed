// SPDX-License-Identifier: Apache-2.0
#include "panel_axes.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>
#include <utility>
#include <vector>

namespace depthlens {

panel_ranges ranges_of(const figure_spec& figure, std::size_t p, const panel_data& data) {
  const panel_spec& panel = figure.panels[p];
  panel_ranges out;
  std::map<double, double> stacks;
  for (const panel_series& s : data.series)
    for (const figure_point& point : s.points) {
      // A bar that is missing keeps its place.
      if (is_bars(figure.kind) && x_can_be_drawn(panel, point)) out.x.add(point.x);
      if (!can_be_drawn(panel, point)) continue;
      out.x.add(point.x);
      out.y.add(figure.kind == figure_kind::stacked_bars ? stacks[point.x] += point.y : point.y);
      if (is_bars(figure.kind)) continue;
      const bool around_x = panel.has(DLENS_PANEL_INTERVAL_X);
      for (const double bound : {point.low, point.high})
        if (around_x || !panel.has(DLENS_PANEL_LOG_Y) || bound > 0) (around_x ? out.x : out.y).add(bound);
    }
  return out;
}

figure_axis x_axis(const figure_spec& figure, const panel_spec& panel, const panel_data& data,
                   number_range range, unsigned n_layers, double width) {
  if (!data.categories.empty()) return word_axis(data.categories, width);
  if (panel.has(DLENS_PANEL_LOG_X)) return log_axis(range);
  const auto steps = static_cast<std::size_t>(std::clamp(width / 40, 2.0, 6.0));
  if (is_bars(figure.kind)) {
    // Bars stand where there are rows: a table that leaves layers out gets no empty places at the ends.
    if (range.empty) range = {0, std::max(1.0, double(n_layers)), false};
    const double step = bar_step(data), room = 0.62 * step;
    const bool whole = std::floor(range.low) == range.low && std::floor(step) == step;
    figure_axis axis = whole ? layer_axis(range.low, range.high, width) : linear_axis(range, steps, false);
    axis.low = range.low - room;
    axis.high = range.high + room;
    return axis;
  }
  if (panel.has(panel_depth_x)) {
    range.add(0), range.add(1);
    return linear_axis(range, 5, true);
  }
  if (panel.has(DLENS_PANEL_LAYER_X)) {
    const double last = range.empty ? n_layers : std::max(double(n_layers), std::ceil(range.high));
    return layer_axis(range.empty ? 0 : std::min(0.0, std::floor(range.low)), std::min(last, 1e6), width);
  }
  if (figure.kind == figure_kind::density && !range.empty && range.high > range.low) {
    const double room = 0.25 * (range.high - range.low);
    range = {range.low - room, range.high + room, false};
  }
  return linear_axis(range, steps, false);
}

figure_axis y_axis(const figure_spec& figure, const panel_spec& panel, number_range range) {
  const bool density = figure.kind == figure_kind::density;
  figure_axis axis;
  if (panel.has(DLENS_PANEL_PERCENT_Y) && !density)
    axis = percent_axis(is_bars(figure.kind) || range.empty ? 1 : range.high);
  else if (panel.has(DLENS_PANEL_LOG_Y) && !density)
    axis = log_axis(range);
  else
    axis = linear_axis(range, density ? 3 : 5, figure.kind != figure_kind::lines);
  axis.reversed = panel.has(DLENS_PANEL_REVERSED_Y);
  return axis;
}

std::string_view nothing_in(const figure_spec& figure, const panel_data& panel) {
  const bool points = std::any_of(panel.series.begin(), panel.series.end(),
                                  [](const panel_series& s) { return !s.points.empty(); });
  return points && figure.kind == figure_kind::density ? "no density: all values are equal" : "no data";
}

double bar_step(const panel_data& panel) {
  std::set<double> places;
  for (const panel_series& s : panel.series)
    for (const figure_point& point : s.points)
      if (!std::isnan(point.x)) places.insert(point.x);
  double step = std::numeric_limits<double>::infinity(), before = -step;
  for (const double x : places) {
    step = std::min(step, x - before);
    before = x;
  }
  return std::isfinite(step) && step > 0 ? step : 1;
}

kernel_density density_of(const panel_spec& panel, const panel_series& series) {
  std::vector<counted_value> values;
  for (const figure_point& point : series.points)
    if (x_can_be_drawn(panel, point)) values.push_back({point.x, point.y});
  return kernel_density(std::move(values));
}

double density_x(const figure_axis& x, int number) {
  const double part = static_cast<double>(number) / density_steps;
  if (x.log) return std::pow(10.0, std::log10(x.low) * (1 - part) + std::log10(x.high) * part);
  return x.low * (1 - part) + x.high * part;
}

number_range density_range(const panel_spec& panel, const panel_data& data, const figure_axis& x) {
  number_range out;
  for (const panel_series& s : data.series) {
    const kernel_density density = density_of(panel, s);
    if (!density.exists()) continue;
    for (int i = 0; i <= density_steps; ++i) out.add(density.at(density_x(x, i)));
  }
  return out;
}

}  // namespace depthlens
