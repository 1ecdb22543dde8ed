// SPDX-License-Identifier: Apache-2.0
// Where an axis has its ticks, and what they say: as gnuplot sets them for the axes of figures/axis.hpp.
#pragma once

#include "figures/axis.hpp"

#include <string>
#include <vector>

namespace depthlens {

struct axis_tick {
  double at;
  std::string label;  // "" = a short tick between others
};

std::vector<axis_tick> ticks_of(const figure_axis& axis);

// Where `value` stands between the ends of the axis: 0 = low, 1 = high.
double place_on(const figure_axis& axis, double value);

}  // namespace depthlens
