// SPDX-License-Identifier: Apache-2.0
#include "axis.hpp"

#include "style.hpp"
#include "text_width.hpp"

#include <algorithm>
#include <array>
#include <charconv>
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

// `value`, a multiple of `step`, with as many decimals as the step needs.
std::string linear_label(double value, double step) {
  if (std::abs(value) >= 1e7 || step < 1e-4) {
    char digits[32];
    const auto end = std::to_chars(digits, digits + sizeof digits, value, std::chars_format::general, 3).ptr;
    return value == 0 ? "0" : std::string(digits, end);
  }
  const int decimals = std::max(0, static_cast<int>(std::ceil(-std::log10(step) - 1e-9)));
  char digits[64];
  const auto end =
      std::to_chars(digits, digits + sizeof digits, std::abs(value), std::chars_format::fixed, decimals).ptr;
  std::string text(digits, end);
  if (decimals == 0) text = with_commas(static_cast<std::uint64_t>(std::llround(std::abs(value))));
  return value < 0 ? "-" + text : text;
}

std::string power_label(int exponent) {
  if (exponent >= 0 && exponent <= 6) {
    std::uint64_t value = 1;
    for (int i = 0; i < exponent; ++i) value *= 10;
    return with_commas(value);
  }
  if (exponent < 0 && exponent >= -3)
    return "0." + std::string(static_cast<std::size_t>(-exponent - 1), '0') + "1";
  return "1e" + std::to_string(exponent);
}

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
  const double step = nice_step((range.high - range.low) / static_cast<double>(n));
  figure_axis axis;
  const double first = std::floor(range.low / step + 1e-9), last = std::ceil(range.high / step - 1e-9);
  axis.low = first * step;
  axis.high = last * step;
  for (double i = first; i <= last && axis.ticks.size() < 64; ++i)
    axis.ticks.push_back({i * step, linear_label(i * step, step)});
  return axis;
}

figure_axis percent_axis() {
  figure_axis axis;
  axis.high = 100;
  for (int value = 0; value <= 100; value += 20)
    axis.ticks.push_back({double(value), std::to_string(value) + "%"});
  return axis;
}

figure_axis log_axis(number_range range) {
  if (range.empty || !(range.high > 0)) range = {1, 10, false};
  range.low = std::clamp(range.low, 1e-300, 1e299);
  range.high = std::clamp(range.high, range.low, 1e299);
  const auto power_below = [](double x) { return static_cast<int>(std::floor(std::log10(x) + 1e-9)); };
  // Ends at 1, 2 or 5 times a power of ten.
  const auto end = [&](double x, bool up) {
    const double power = std::pow(10.0, power_below(x));
    double best = up ? 10 * power : power;
    for (const double factor : {2.0, 5.0})
      if (!up && factor * power <= x * (1 + 1e-9)) best = factor * power;
    for (const double factor : {5.0, 2.0, 1.0})
      if (up && factor * power >= x * (1 - 1e-9)) best = factor * power;
    return best;
  };
  figure_axis axis;
  axis.log = true;
  axis.low = end(range.low, false);
  axis.high = end(range.high, true);
  if (!(axis.high > axis.low * 1.5)) axis.high = axis.low * 10;
  const int first = power_below(axis.low), last = power_below(axis.high * (1 + 1e-9));
  const int decades = last - first;
  const int every = 1 + decades / 8;
  for (int power = first; power <= last; ++power) {
    for (int factor = 1; factor < 10; ++factor) {
      const double at = factor * std::pow(10.0, power);
      if (at < axis.low * (1 - 1e-9) || at > axis.high * (1 + 1e-9)) continue;
      const bool labelled =
          factor == 1 ? (power - first) % every == 0 : decades < 2 && (factor == 2 || factor == 5);
      if (!labelled && every > 1 && factor != 1) continue;
      const std::string label = factor == 1 ? power_label(power) : linear_label(at, std::pow(10.0, power));
      axis.ticks.push_back({at, labelled ? label : "", !labelled});
    }
  }
  return axis;
}

figure_axis layer_axis(double first, double last, double width) {
  if (!(std::abs(first) < 1e6 && std::abs(last) < 1e6)) return linear_axis({first, last, false}, 5, false);
  figure_axis axis;
  axis.low = first;
  axis.high = std::max(last, first + 1);
  const double n = std::floor(axis.high) - std::ceil(first);
  const double label =
      text_width(std::to_string(static_cast<long long>(axis.high)), figure_style::text_size) + 7;
  const double most = std::max(1.0, std::min(10.0, std::floor(width / label)));  // steps that fit
  double step = 1;
  // A step that ends at the last layer is best, if it leaves enough ticks; else the smallest round one that
  // fits.
  constexpr std::array<double, 13> steps = {1, 2, 5,  10, 20, 4, 8,
                                            3, 6, 12, 16, 25, 50};  // the usual ones first
  const auto fits = [&](double s) { return n / s <= most; };
  const auto even = std::find_if(steps.begin(), steps.end(),
                                 [&](double s) { return fits(s) && std::fmod(n, s) == 0 && n / s >= 4; });
  if (even != steps.end()) {
    step = *even;
  } else if (n > most) {
    step = nice_step(n / most);
  }
  const double start = std::ceil(first);
  for (double at = start; at <= axis.high; at += step)
    axis.ticks.push_back({at, std::to_string(static_cast<long long>(at))});
  const double end = std::floor(axis.high), gap = end - axis.ticks.back().at;
  if (gap / (axis.high - axis.low) * width >= label)
    axis.ticks.push_back({end, std::to_string(static_cast<long long>(end))});
  return axis;
}

figure_axis word_axis(const std::vector<std::string>& words, double width) {
  figure_axis axis;
  axis.low = -0.5;
  axis.high = static_cast<double>(words.size()) - 0.5;
  const double place = width / static_cast<double>(words.size());
  const auto every = static_cast<std::size_t>(std::ceil(std::max(1.0, 24 / place)));
  for (std::size_t i = 0; i < words.size(); i += every) {
    const double room = place * static_cast<double>(every) - 5;
    axis.ticks.push_back(
        {static_cast<double>(i), fit_text(words[i], figure_style::text_size, room, shorten::middle)});
  }
  return axis;
}

}  // namespace depthlens
