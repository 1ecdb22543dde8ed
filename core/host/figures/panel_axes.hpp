// SPDX-License-Identifier: Apache-2.0
// The axes of a panel, from its data: what range they cover, and where bars and curves stand on them.
#pragma once

#include "axis.hpp"
#include "density.hpp"
#include "figure_spec.hpp"
#include "series.hpp"

#include <cstddef>
#include <string_view>

namespace depthlens {

// x and y of what can be drawn in panel number `p`: stacks by their height, densities by their x alone. y is
// empty where there is nothing to draw.
struct panel_ranges {
  number_range x, y;
};
panel_ranges ranges_of(const figure_spec& figure, std::size_t p, const panel_data& data);

// `width`: points that the axis is long. n_layers = 0: layer axes end at the last layer in the data.
figure_axis x_axis(const figure_spec& figure, const panel_spec& panel, const panel_data& data,
                   number_range range, unsigned n_layers, double width);
figure_axis y_axis(const figure_spec& figure, const panel_spec& panel, number_range range);

// Distance between neighbouring bars or groups of bars on the x axis: the smallest difference that occurs.
double bar_step(const panel_data& panel);

// Of a series of a density figure; x that have no place on the panel's axis do not count.
kernel_density density_of(const panel_spec& panel, const panel_series& series);
// A curve is drawn through density_steps + 1 places of its x axis, number 0 to density_steps.
inline constexpr int density_steps = 240;
double density_x(const figure_axis& x, int number);
// What a panel says in which nothing can be drawn.
std::string_view nothing_in(const figure_spec& figure, const panel_data& panel);
// From the lowest to the highest curve of a panel.
number_range density_range(const panel_spec& panel, const panel_data& data, const figure_axis& x);

}  // namespace depthlens
