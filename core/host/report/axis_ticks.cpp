// SPDX-License-Identifier: Apache-2.0
#include "report/axis_ticks.hpp"

#include "depthlens/base/error.hpp"

#include <cmath>
#include <cstddef>

namespace depthlens {
namespace {

std::vector<axis_tick> ticks_at_powers(const figure_axis& axis) {
  std::vector<axis_tick> out;
  const bool few = axis.high <= 10 * axis.low * (1 + 1e-9);  // two ticks alone would say little
  for (int power = 0; power < 64; ++power) {
    const double at = axis.low * std::pow(axis.step, power);
    if (at > axis.high * (1 + 1e-9)) break;
    out.push_back({at, cat(at)});
    for (int i = 2; i < 10 && axis.step == 10 && at * i < axis.high; ++i)
      out.push_back({at * i, few && (i == 2 || i == 5) ? cat(at * i) : ""});
  }
  return out;
}

}  // namespace

std::vector<axis_tick> ticks_of(const figure_axis& axis) {
  std::vector<axis_tick> out;
  if (!axis.words.empty()) {
    for (std::size_t i = 0; i < axis.words.size(); ++i)
      if (!axis.words[i].empty()) out.push_back({static_cast<double>(i), axis.words[i]});
    return out;
  }
  if (axis.log) return ticks_at_powers(axis);
  const double first = std::ceil(axis.low / axis.step - 1e-9);
  for (int i = 0; i < 64; ++i) {
    const double at = (first + i) * axis.step;  // multiples of the step, not sums of it
    if (at > axis.high + 1e-9 * axis.step) break;
    out.push_back({at, cat(std::abs(at) < 1e-9 * axis.step ? 0 : at, axis.percent ? "%" : "")});
  }
  return out;
}

double place_on(const figure_axis& axis, double value) {
  const double part = axis.log ? std::log10(value / axis.low) / std::log10(axis.high / axis.low)
                               : (value - axis.low) / (axis.high - axis.low);
  return axis.reversed ? 1 - part : part;
}

}  // namespace depthlens
