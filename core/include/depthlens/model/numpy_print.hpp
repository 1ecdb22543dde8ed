// SPDX-License-Identifier: Apache-2.0
// A float32 matrix as numpy's array_str(matrix, precision=p) prints it, summarised above 1000 elements:
// lenses name the model they were trained for by the SHA-256 of this text of its unembedding. Numbers are
// printed as Dragon4 does with unique=True: the shortest digits that read back, cut and rounded half to even
// from the exact value at p places.
#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace depthlens {

namespace detail {

// Digits before and after the point, and the exponent with its sign where there is one.
struct numpy_digits {
  std::string whole, fraction, exponent;
};

inline numpy_digits split_number(std::string_view text) {
  numpy_digits out;
  const std::size_t e = text.find('e');
  if (e != text.npos) out.exponent = text.substr(e + 1);
  text = text.substr(0, e);
  const std::size_t point = text.find('.');
  out.whole = text.substr(0, point);
  if (point != text.npos) out.fraction = text.substr(point + 1);
  return out;
}

inline numpy_digits numpy_number(float value, std::chars_format form, int precision) {
  std::array<char, 128> text;
  char* const end = text.data() + text.size();
  const auto shortest = std::to_chars(text.data(), end, value, form);
  numpy_digits out = split_number({text.data(), shortest.ptr});
  if (out.fraction.size() > static_cast<std::size_t>(precision)) {
    const auto cut = std::to_chars(text.data(), end, static_cast<double>(value), form, precision);
    out = split_number({text.data(), cut.ptr});
  }
  while (!out.fraction.empty() && out.fraction.back() == '0') out.fraction.pop_back();
  return out;
}

// One format for all numbers that are shown.
class numpy_format {
 public:
  numpy_format(const std::vector<float>& shown, int precision) : precision_(precision) {
    float largest = 0, smallest = 0;
    bool finite = true, negative_infinity = false;
    for (const float v : shown) {
      finite = finite && std::isfinite(v);
      negative_infinity = negative_infinity || (std::isinf(v) && v < 0);
      if (!std::isfinite(v) || v == 0) continue;
      largest = std::max(largest, std::fabs(v));
      smallest = smallest == 0 ? std::fabs(v) : std::min(smallest, std::fabs(v));
    }
    constexpr float too_large = 1e8f, too_small = 1e-4f, too_wide = 1000;
    if (largest > 0 && (largest >= too_large || smallest < too_small || largest / smallest > too_wide))
      form_ = std::chars_format::scientific;
    for (const float v : shown) {
      if (!std::isfinite(v)) continue;
      const numpy_digits d = numpy_number(v, form_, precision_);
      left_ = std::max(left_, d.whole.size());
      right_ = std::max(right_, d.fraction.size());
      exponent_ = std::max(exponent_, d.exponent.size());
    }
    if (finite) return;
    const std::size_t width = right_ + exponent_ + (scientific() ? 2 : 1);
    const auto need = [&](std::size_t n) { left_ = std::max(left_, n > width ? n - width : 0); };
    need(3);
    need(negative_infinity ? 4 : 3);
  }

  std::string operator()(float v) const {
    if (!std::isfinite(v)) {
      const std::string text = std::isnan(v) ? "nan" : v < 0 ? "-inf" : "inf";
      return padded(text, left_ + right_ + exponent_ + (scientific() ? 2 : 1));
    }
    numpy_digits d = numpy_number(v, form_, precision_);
    // Denormal numbers have fewer digits than are shown; zeros would not be theirs.
    if (scientific() && d.fraction.size() < right_) {
      std::array<char, 128> text;
      const auto end = std::to_chars(text.data(), text.data() + text.size(), static_cast<double>(v), form_,
                                     static_cast<int>(right_));
      d = split_number({text.data(), end.ptr});
    }
    d.fraction.resize(right_, scientific() ? '0' : ' ');
    std::string out = padded(d.whole, left_) + "." + d.fraction;
    if (scientific()) {
      d.exponent.insert(1, exponent_ - d.exponent.size(), '0');
      out += "e" + d.exponent;
    }
    return out;
  }

 private:
  bool scientific() const { return form_ == std::chars_format::scientific; }
  static std::string padded(const std::string& text, std::size_t width) {
    return std::string(width > text.size() ? width - text.size() : 0, ' ') + text;
  }

  int precision_;
  std::chars_format form_ = std::chars_format::fixed;
  std::size_t left_ = 0, right_ = 0, exponent_ = 0;  // the widest of each part
};

// The places of a dimension that are shown; -1 stands for the dots.
inline std::vector<std::int64_t> numpy_places(std::uint64_t n, bool summarised) {
  constexpr std::int64_t edge = 3;
  const auto size = static_cast<std::int64_t>(n);
  std::vector<std::int64_t> out;
  for (std::int64_t i = 0; i < size; ++i) {
    if (summarised && size > 2 * edge && i == edge) {
      out.push_back(-1);
      i = size - edge;
    }
    out.push_back(i);
  }
  return out;
}

}  // namespace detail

// value(r, c) is asked for the elements that are shown only. Needs rows and columns of at least 1.
template <class Value>
std::string numpy_array_str(std::uint64_t rows, std::uint64_t columns, int precision, const Value& value) {
  constexpr std::uint64_t threshold = 1000;
  constexpr std::size_t line_width = 75;
  const bool summarised = rows * columns > threshold;
  const std::vector<std::int64_t> r_shown = detail::numpy_places(rows, summarised),
                                  c_shown = detail::numpy_places(columns, summarised);
  std::vector<float> shown;
  for (const std::int64_t r : r_shown)
    for (const std::int64_t c : c_shown)
      if (r >= 0 && c >= 0)
        shown.push_back(value(static_cast<std::uint64_t>(r), static_cast<std::uint64_t>(c)));
  const detail::numpy_format format(shown, precision);
  constexpr std::string_view indent = "  ";
  constexpr std::size_t width = line_width - 1 - 1;  // room for the closing brackets
  std::string out = "[";
  std::size_t next = 0;
  for (const std::int64_t r : r_shown) {
    if (out.size() > 1) out += "\n ";
    if (r < 0) {
      out += "...";
      continue;
    }
    std::string line(indent), row;
    for (std::size_t i = 0; i < c_shown.size(); ++i) {
      const std::string word = c_shown[i] < 0 ? "..." : format(shown[next++]);
      if (line.size() + word.size() > width && line.size() > indent.size()) {
        while (!line.empty() && line.back() == ' ') line.pop_back();
        row += line + "\n";
        line = indent;
      }
      line += word;
      if (i + 1 < c_shown.size()) line += ' ';
    }
    row += line;
    out += "[" + row.substr(indent.size()) + "]";
  }
  return out + "]";
}

}  // namespace depthlens
