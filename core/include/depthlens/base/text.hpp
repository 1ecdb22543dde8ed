// SPDX-License-Identifier: Apache-2.0
// Token and prompt text for files and screens: a reversible form that is always valid UTF-8 without NUL, and
// the white-space test of the reference results. Reading UTF-8 itself is data/utf8.hpp.
#pragma once

#include "depthlens/base/utf8.hpp"

#include <cstddef>
#include <string>
#include <string_view>

namespace depthlens {

namespace detail {

inline void append_hex_escape(std::string& out, unsigned char byte) {
  static constexpr char digits[] = "0123456789abcdef";
  out += "\\x";
  out += digits[byte >> 4];
  out += digits[byte & 15];
}

inline int hex_value(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace detail

// `bytes` as valid UTF-8 without NUL: NUL and every byte that is no UTF-8 become \xNN (lower-case hex). So
// that this can be undone, a backslash that stands before an 'x' becomes \x5c. All else, control characters
// too, stays.
inline std::string visible(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size());
  for (std::size_t at = 0; at < bytes.size();) {
    const utf8_character c = utf8_at(bytes, at);
    const bool ambiguous = c.value == '\\' && at + 1 < bytes.size() && bytes[at + 1] == 'x';
    if (c.valid && c.value != 0 && !ambiguous) {
      out += bytes.substr(at, c.size);
    } else {
      for (std::size_t i = 0; i < c.size; ++i) {
        detail::append_hex_escape(out, static_cast<unsigned char>(bytes[at + i]));
      }
    }
    at += c.size;
  }
  return out;
}

// visible() on one line of a terminal, which it cannot steer: control characters become \xNN too.
inline std::string visible_line(std::string_view bytes) {
  std::string out;
  const std::string text = visible(bytes);
  for (std::size_t at = 0; at < text.size();) {
    const utf8_character c = utf8_at(text, at);
    const bool control = c.value < 0x20 || (c.value >= 0x7f && c.value < 0xa0);
    for (std::size_t i = 0; i < c.size; ++i) {
      if (control)
        detail::append_hex_escape(out, static_cast<unsigned char>(text[at + i]));
      else
        out += text[at + i];
    }
    at += c.size;
  }
  return out;
}

// Undoes visible(): every \xNN becomes its byte.
inline std::string from_visible(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '\\' && text.size() - at >= 4 && text[at + 1] == 'x') {
      const int high = detail::hex_value(text[at + 2]), low = detail::hex_value(text[at + 3]);
      if (high >= 0 && low >= 0) {
        out += static_cast<char>(high * 16 + low);
        at += 3;
        continue;
      }
    }
    out += text[at];
  }
  return out;
}

// Python's str.isspace(): not empty, and every character is white space: U+0009..000D, 001C..0020, 0085,
// 00A0, 1680, 2000..200A, 2028, 2029, 202F, 205F, 3000. Text that is not valid UTF-8 is not white space.
inline bool is_white_space(std::string_view text) noexcept {
  for (std::size_t at = 0; at < text.size();) {
    const utf8_character c = utf8_at(text, at);
    if (!c.valid || !is_split_character(c.value)) return false;
    at += c.size;
  }
  return !text.empty();
}

// `text` in single quotes, at most `cap` bytes of it.
inline std::string printable(std::string_view text, std::size_t cap = 80) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string out = "'";
  for (const char c : text.substr(0, cap)) {
    const auto u = static_cast<unsigned char>(c);
    if (u >= 0x20 && u < 0x7f) {
      out += c;
    } else {
      out += "\\x";
      out += digits[u >> 4];
      out += digits[u & 15];
    }
  }
  if (text.size() > cap) out += "...";
  out += '\'';
  return out;
}

}  // namespace depthlens
