// SPDX-License-Identifier: Apache-2.0
// Numbers as text in tables and JSON: the shortest digits that read back as the same value, never a locale's
// form.
#pragma once

#include <charconv>
#include <cmath>
#include <concepts>
#include <string>
#include <string_view>

namespace depthlens {

namespace detail {

// Shortest round trip; infinities are "inf" and "-inf", every NaN is "nan".
template <class Number>
void append_shortest(std::string& out, Number value) {
  char digits[64];
  if constexpr (std::floating_point<Number>)
    if (std::isnan(value)) {
      out += "nan";
      return;
    }
  const auto [end, code] = std::to_chars(digits, digits + sizeof digits, value);
  static_cast<void>(code);  // 64 characters hold every double and every 64-bit integer
  out.append(digits, end);
}

}  // namespace detail

template <std::integral Integer>
void append_integer(std::string& out, Integer value) {
  detail::append_shortest(out, value);
}
// 0.1F is "0.1".
inline void append_f32(std::string& out, float value) { detail::append_shortest(out, value); }
inline void append_f64(std::string& out, double value) { detail::append_shortest(out, value); }

// The form of Python's repr(float), which pandas writes: always ".0" or an exponent, exponents of two digits
// or more below 1e-4 and from 1e16 on. double(0.1F) is "0.10000000149011612".
inline void append_python_float(std::string& out, double value) {
  if (!std::isfinite(value)) return append_f64(out, value);
  char digits[64];
  const char* const end =
      std::to_chars(digits, digits + sizeof digits, value, std::chars_format::scientific).ptr;
  std::string_view text(digits, static_cast<std::size_t>(end - digits));  // [-]d[.ddd]e[+-]dd
  if (text.front() == '-') {
    out += '-';
    text.remove_prefix(1);
  }
  const std::size_t e = text.find('e');
  int exponent = 0;
  std::from_chars(text.data() + e + (text[e + 1] == '+' ? 2 : 1), end, exponent);
  if (exponent < -4 || exponent >= 16) {
    out += text;
    return;
  }
  std::string all(text.substr(0, 1));  // the significant digits
  if (e > 2) all += text.substr(2, e - 2);
  if (exponent < 0) {
    out.append("0.").append(static_cast<std::size_t>(-exponent - 1), '0').append(all);
    return;
  }
  const auto whole = static_cast<std::size_t>(exponent) + 1;
  if (all.size() < whole) all.append(whole - all.size(), '0');
  out.append(all, 0, whole).append(".").append(all.size() > whole ? all.substr(whole) : "0");
}

}  // namespace depthlens
