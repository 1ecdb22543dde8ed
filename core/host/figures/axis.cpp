// SPDX-License-Identifier: Apache-2.0
#include "axis.hpp"

#include "style.hpp"
#include "text_width.hpp"

#include <depthlens/base/error.hpp>

#include <algorithm>
#include <array>
#include <cmath>

namespace depthlens {

namespace {

// 1, 2 or 5 times a power of ten, at least `wanted`.
double nice_step(double wanted) {
  const double power = std::pow(10.0, std::floor(std::log10(wanted)));
  for (const double factor : {1.0, 2.0, 5.0})
    if (factor * power >= wanted * (1 - 1e-9)) return factor * power;
  return 10 * power;
}

double label_width(double number) { return text_width(cat(number), figure_style::text_size); }

}  // namespace

void number_range::add(double value) noexcept {
  if (!std::isfinite(value)) return;
  low = empty ? value : std::min(low, value);
  high = empty ? value : std::max(high, value);
  empty = false;
}

std::string with_commas(std::uint64_t number) {
  std::string text = std::to_string(number);
  for (std::size_t at = text.size(); at > 3;) text.insert(at -= 3, ",");
  return text;
}

std::string listed(std::span<const std::string> names) {
  std::string out;
  for (std::size_t i = 0; i < names.size(); ++i)
    out += (i == 0 ? "" : i + 1 < names.size() ? ", " : " and ") + names[i];
  return out;
}

figure_axis linear_axis(number_range range, std::size_t n, bool from_zero) {
  if (range.empty) range = {0, 1, false};
  // Room for the next power of ten at either end of what a double can be.
  range.low = std::clamp(range.low, -1e300, 1e300);
  range.high = std::clamp(range.high, -1e300, 1e300);
  // A range far from zero keeps its own scale, so that differences stay visible.
  const double largest = std::max(std::abs(range.low), std::abs(range.high));
  const bool near_zero = range.low * range.high <= 0 || range.high - range.low > 0.4 * largest;
  if (from_zero || near_zero) range.add(0);
  if (!(range.high - range.low > std::max(1e-300, 1e-12 * largest))) {
    const double room = largest > 1e-290 ? 0.5 * largest : 1;
    range = {range.low - (range.low == 0 ? 0 : room), range.high + room, false};
  }
  figure_axis axis;
  axis.step = nice_step((range.high - range.low) / static_cast<double>(n));
  axis.low = std::floor(range.low / axis.step + 1e-9) * axis.step;
  axis.high = std::ceil(range.high / axis.step - 1e-9) * axis.step;
  return axis;
}

figure_axis percent_axis(double highest) {
  figure_axis axis{.low = 0, .high = 100, .step = 20, .percent = true, .words = {}};
  for (const double end : {1.0, 2.0, 5.0, 10.0, 20.0, 50.0})
    if (100 * highest <= end) {
      axis.high = end;
      axis.step = end == 2 || end == 20 ? end / 4 : end / 5;
      break;
    }
  return axis;
}

figure_axis log_axis(number_range range) {
  if (range.empty || !(range.high > 0)) range = {1, 10, false};
  const double low = std::log10(std::clamp(range.low, 1e-300, 1e299));
  const double high = std::log10(std::clamp(range.high, 1e-300, 1e299));
  const double first = std::floor(low + 1e-9), last = std::max(first + 1, std::ceil(high - 1e-9));
  figure_axis axis;
  axis.log = true;
  axis.low = std::pow(10.0, first);
  axis.high = std::pow(10.0, last);
  axis.step = std::pow(10.0, 1 + std::floor((last - first) / 9));
  return axis;
}

figure_axis layer_axis(double first, double last, double width) {
  if (!(std::abs(first) < 1e6 && std::abs(last) < 1e6)) return linear_axis({first, last, false}, 5, false);
  figure_axis axis;
  axis.low = first;
  axis.high = std::max(last, first + 1);
  const double n = std::floor(axis.high) - std::ceil(first);
  const double most = std::clamp(std::floor(width / (label_width(std::floor(axis.high)) + 7)), 1.0, 10.0);
  // A step that ends at the last layer is best, if it leaves enough ticks; else the smallest round one that
  // fits. The usual ones come first.
  constexpr std::array<double, 13> steps = {1, 2, 5, 10, 20, 4, 8, 3, 6, 12, 16, 25, 50};
  const auto even = std::find_if(steps.begin(), steps.end(), [&](double step) {
    return n / step <= most && std::fmod(n, step) == 0 && n / step >= 4;
  });
  axis.step = even != steps.end() ? *even : n > most ? nice_step(n / most) : 1;
  return axis;
}

figure_axis word_axis(const std::vector<std::string>& words, double width) {
  figure_axis axis;
  axis.low = -0.5;
  axis.high = static_cast<double>(words.size()) - 0.5;
  axis.words.resize(words.size());
  const double place = width / static_cast<double>(words.size());
  const auto every = static_cast<std::size_t>(std::ceil(std::max(1.0, 24 / place)));
  const double room = place * static_cast<double>(every) - 5;
  for (std::size_t i = 0; i < words.size(); i += every)
    axis.words[i] = fit_text(words[i], figure_style::text_size, room, shorten::middle);
  return axis;
}

double widest_label(const figure_axis& axis) {
  double width = 0;
  const double end = axis.high + 1e-9 * (axis.log ? axis.high : axis.step);
  for (int i = 0; i < 64; ++i) {
    // Multiples of the step, not sums of it: 0.1 + 0.2 is longer than 0.3.
    const double at = axis.log ? axis.low * std::pow(axis.step, i) : axis.low + i * axis.step;
    if (at > end) break;
    width = std::max(width, label_width(!axis.log && std::abs(at) < 1e-9 * axis.step ? 0 : at));
  }
  return width + (axis.percent ? text_width("%", figure_style::text_size) : 0);
}

}  // namespace depthlens
