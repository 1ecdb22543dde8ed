// SPDX-License-Identifier: Apache-2.0
// Axes: where they begin and end and how far apart their ticks are. gnuplot numbers the ticks. It does not
// choose them: it counts in letters of its terminal, so a picture would have other ticks as PNG than as SVG.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace depthlens {

struct figure_axis {
  double low = 0, high = 1;  // low < high
  double step = 1;           // from tick to tick; on a log axis the factor, a power of ten
  bool log = false;
  bool reversed = false;
  bool percent = false;            // numbers are followed by %
  std::vector<std::string> words;  // word i stands at i, "" = no tick; empty: the ticks are numbers
};

// The smallest and largest of many numbers; missing ones do not count.
struct number_range {
  double low, high;
  bool empty = true;
  void add(double value) noexcept;
};

// 1,234,567
std::string with_commas(std::uint64_t number);

// "A", "A and B", "A, B and C"
std::string listed(std::span<const std::string> names);

// About `n` steps of 1, 2 or 5 times a power of ten. `from_zero`: the axis includes 0.
figure_axis linear_axis(number_range range, std::size_t n, bool from_zero);
// 0 to 100 with a tick every 20, labelled in %.
// highest: the largest share 0..1 that is drawn; the axis ends at 100 %, or before where all are small.
figure_axis percent_axis(double highest);
// Whole powers of ten, with at most nine ticks. Only positive numbers count.
figure_axis log_axis(number_range range);
// Whole numbers, so far apart that labels of a 8 point font do not touch on `width` points.
figure_axis layer_axis(double first, double last, double width);
// Words at 0, 1, 2 ..., shortened to their place on `width` points, or only every second, third ... of them.
figure_axis word_axis(const std::vector<std::string>& words, double width);

// Of a numbered axis: the width in points of its widest label as gnuplot writes it ("%g").
double widest_label(const figure_axis& axis);

}  // namespace depthlens
