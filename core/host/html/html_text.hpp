// SPDX-License-Identifier: Apache-2.0
// The only way for a text from outside (model, data, run.json) into a page: as text, never as markup, and
// with every character that is not seen, or that turns the direction of its surroundings, written out.
#pragma once

#include <depthlens/base/utf8.hpp>

#include <boost/json.hpp>

#include <cstddef>
#include <string>
#include <string_view>

namespace depthlens {

// Controls, marks and overrides of the writing direction, separators, fillers, and what is no character at
// all. The joiners U+200C and U+200D stay: many scripts, and emoji, are written with them.
inline bool is_unseen(char32_t c) noexcept {
  return c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0xAD || c == 0x61C || c == 0x180E || c == 0x200B ||
         c == 0x200E || c == 0x200F || (c >= 0x2028 && c <= 0x202E) || (c >= 0x2060 && c <= 0x206F) ||
         c == 0xFEFF || (c >= 0xFFF9 && c <= 0xFFFB) || (c >= 0xFDD0 && c <= 0xFDEF) ||
         (c & 0xFFFE) == 0xFFFE || (c >= 0xE0000 && c <= 0xE0FFF);
}

// \u202e, with four hex digits or more.
inline void append_code(std::string& out, char32_t c) {
  static constexpr char digits[] = "0123456789abcdef";
  out += "\\u";
  for (int shift = c > 0xFFFF ? 20 : 12; shift >= 0; shift -= 4)
    if (shift < 16 || (c >> shift) != 0) out += digits[(c >> shift) & 15];
}

// `text` as one line of which every character is seen: line ends are \n, tabs \t, others \u202e; broken bytes
// are U+FFFD. At most `limit` characters of it, then "...".
inline std::string seen_text(std::string_view text, std::size_t limit = 1000) {
  std::string out;
  for (std::size_t at = 0, n = 0; at < text.size(); ++n) {
    if (n == limit) return out + "...";
    const utf8_character c = utf8_at(text, at);
    if (!c.valid)
      out += "\xEF\xBF\xBD";
    else if (c.value == '\n')
      out += "\\n";
    else if (c.value == '\t')
      out += "\\t";
    else if (is_unseen(c.value))
      append_code(out, c.value);
    else
      out += text.substr(at, c.size);
    at += c.size;
  }
  return out;
}

// For the content of an element and for a quoted attribute alike.
inline std::string html_escaped(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  return out;
}

inline std::string html_text(std::string_view text, std::size_t limit = 1000) {
  return html_escaped(seen_text(text, limit));
}

// A string of JSON inside <script>, which it cannot end; valid UTF-8.
inline std::string script_text(std::string_view text) {
  std::string out;
  for (const char c : boost::json::serialize(boost::json::string(text))) {
    if (c == '<')
      out += "\\u003c";
    else
      out += c;
  }
  return out;
}

// Its writing direction is its own, and does not reorder what stands beside it.
inline std::string isolated(std::string_view text, std::size_t limit = 1000) {
  return "<bdi>" + html_text(text, limit) + "</bdi>";
}

}  // namespace depthlens
