// SPDX-License-Identifier: Apache-2.0
// Axes: their range and their ticks, decided here and not by gnuplot, so that a figure looks the same in
// every version.
#pragma once

#include "figure_spec.hpp"
#include "series.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace depthlens {

struct axis_tick {
  double at;
  std::string label;  // "" for the small ticks between
  bool minor = false;
};

struct figure_axis {
  double low = 0, high = 1;  // low < high
  bool log = false;
  bool reversed = false;
  std::vector<axis_tick> ticks;  // ascending
};

// The smallest and largest of many numbers; missing ones do not count.
struct number_range {
  double low, high;
  bool empty = true;
  void add(double value) noexcept;
};

// 1,234,567
std::string with_commas(std::uint64_t number);

// About `n` steps of 1, 2 or 5 times a power of ten. `from_zero`: the axis includes 0.
figure_axis linear_axis(number_range range, std::size_t n, bool from_zero);
// 0 to 100 with a tick every 20, labelled in %.
figure_axis percent_axis();
// Only positive numbers count. Ticks at powers of ten, labelled 1, 10, 100, 1,000.
figure_axis log_axis(number_range range);
// Whole numbers, labelled so that labels of a 8 point font do not touch on `width` points.
figure_axis layer_axis(double first, double last, double width);
// Words at 0, 1, 2 ..., shortened to their place on `width` points, or only every second, third ... of them.
figure_axis word_axis(const std::vector<std::string>& words, double width);

}  // namespace depthlens
