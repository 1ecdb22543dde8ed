// SPDX-License-Identifier: Apache-2.0
// How wide a text gets in Liberation Sans, so that legends, margins and titles can be laid out before gnuplot
// runs (its own estimate is a count of letters). Widths are those of the Arial/Helvetica metrics that the
// font keeps.
#pragma once

#include "gnuplot_text.hpp"

#include <depthlens/base/utf8.hpp>

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace depthlens {

// In 1/1000 of the font size.
inline double character_width(char32_t c) noexcept {
  static constexpr std::array<short, 95> ascii = {
      278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333,  278, 278, 556, 556, 556,
      556, 556, 556, 556, 556, 556, 556, 278, 278, 584, 584, 584, 556, 1015, 667, 667, 722, 722, 667,
      611, 778, 722, 278, 500, 667, 556, 833, 722, 778, 667, 778, 722, 667,  611, 722, 667, 944, 667,
      667, 611, 278, 278, 278, 469, 556, 333, 556, 556, 500, 556, 556, 278,  556, 556, 222, 222, 500,
      222, 833, 556, 556, 556, 556, 333, 500, 278, 556, 500, 722, 500, 500,  500, 334, 260, 334, 584};
  if (c >= 0x20 && c < 0x7F) return ascii[c - 0x20];
  if (c >= 0x300 && c < 0x370) return 0;  // combining marks
  // Wide enough for accented Latin, Greek and Cyrillic; East Asian letters and emoji are squares.
  return c < 0x1100 ? 722 : 1000;
}

// In points, for a font of `size` points.
inline double text_width(std::string_view text, double size) noexcept {
  double width = 0;
  for (std::size_t at = 0; at < text.size();) {
    const utf8_character c = utf8_at(text, at);
    width += character_width(c.value);
    at += c.size;
  }
  return width * size / 1000;
}

enum class shorten { middle, end };

// `text` as one line that is at most `width` points wide; what does not fit becomes "...".
inline std::string fit_text(std::string_view text, double size, double width, shorten where) {
  const std::string line = figure_line(text);
  if (text_width(line, size) <= width) return line;
  std::vector<std::size_t> begins;  // of characters, and the end
  for (std::size_t at = 0; at < line.size(); at += utf8_at(line, at).size) begins.push_back(at);
  begins.push_back(line.size());
  const std::size_t n = begins.size() - 1;
  for (std::size_t kept = n - 1; kept > 1; --kept) {
    const std::size_t tail = where == shorten::middle ? kept / 2 : 0;
    const std::string cut = line.substr(0, begins[kept - tail]) + "..." + line.substr(begins[n - tail]);
    if (text_width(cut, size) <= width) return cut;
  }
  return "...";
}

}  // namespace depthlens
