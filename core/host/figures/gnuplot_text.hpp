// SPDX-License-Identifier: Apache-2.0
// The only way for a text from outside (model name, title, series, token, folder) into a gnuplot script.
// gnuplot runs backquotes in double quotes and lets a newline end a single-quoted string, so: single quotes,
// control characters replaced, length capped. Terminals are set to noenhanced, so that {/...}, ^ and _ are
// letters too. A quote inside is not doubled but replaced: gnuplot 5.4 takes '' for a quote only if it
// neither begins the string nor follows another.
#pragma once

#include <depthlens/base/utf8.hpp>
#include <depthlens/table/numbers.hpp>

#include <charconv>
#include <cmath>
#include <cstddef>
#include <string>
#include <string_view>

namespace depthlens {

// More than fits on any page; longer texts are cut there.
inline constexpr std::size_t max_figure_text = 400;  // characters

// Control characters, line and paragraph separators, and those that change the writing direction of what
// follows.
inline bool is_control_character(char32_t c) noexcept {
  return c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0x2028 || c == 0x2029 || (c >= 0x202A && c <= 0x202E) ||
         (c >= 0x2066 && c <= 0x2069);
}

// `text` as one line of valid UTF-8: control characters become blanks, broken bytes '?', at most `limit`
// characters.
inline std::string figure_line(std::string_view text, std::size_t limit = max_figure_text) {
  std::string out;
  for (std::size_t at = 0, n = 0; at < text.size(); ++n) {
    if (n == limit) return out + "...";
    const utf8_character c = utf8_at(text, at);
    if (!c.valid)
      out += '?';
    else if (is_control_character(c.value))
      out += ' ';
    else
      out += text.substr(at, c.size);
    at += c.size;
  }
  return out;
}

// A single-quoted gnuplot string that shows `text`, with U+2019 for every quote.
inline std::string gnuplot_quote(std::string_view text, std::size_t limit = max_figure_text) {
  std::string out = "'";
  for (const char c : figure_line(text, limit)) {
    if (c == '\'')
      out += "\xE2\x80\x99";
    else
      out += c;
  }
  return out += '\'';
}

// A gnuplot expression whose value is exactly `name`, the name of a file: 'it' . "'" . 's'. The name is valid
// UTF-8 without control characters, at most max_figure_text characters.
inline std::string gnuplot_file_name(std::string_view name) {
  std::string out = "'";
  for (const char c : name) {
    if (c == '\'')
      out += "' . \"'\" . '";
    else
      out += c;
  }
  return out += '\'';
}

// The same for the label of a tick, which gnuplot would take for a number format.
inline std::string gnuplot_quote_tick(std::string_view text, std::size_t limit = max_figure_text) {
  std::string doubled;
  for (const char c : figure_line(text, limit)) {
    if (c == '%') doubled += '%';
    doubled += c;
  }
  return gnuplot_quote(doubled, 2 * limit);
}

// The shortest digits that read back as `value`; "NaN", which gnuplot leaves out, for all that is not finite.
inline std::string gnuplot_number(double value) {
  if (!std::isfinite(value)) return "NaN";
  std::string out;
  append_f64(out, value);
  return out;
}

// A coordinate: two decimals, without zeros at the end.
inline std::string gnuplot_coordinate(double value) {
  return gnuplot_number(std::round(value * 100.0) / 100.0 + 0.0);
}

}  // namespace depthlens
