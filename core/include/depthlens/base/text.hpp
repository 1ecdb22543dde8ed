// SPDX-License-Identifier: Apache-2.0
// Token and prompt text for files and screens: a reversible form that is always valid UTF-8 without NUL, and
// the white-space test of the reference results. Reading UTF-8 itself is base/utf8.hpp.
#pragma once

#include "depthlens/base/utf8.hpp"

#include <cstddef>
#include <string>
#include <string_view>

namespace depthlens {

namespace detail {

inline void append_hex(std::string& out, unsigned char byte) {
  static constexpr char digits[] = "0123456789abcdef";
  out += digits[byte >> 4];
  out += digits[byte & 15];
}

// `bytes` with every byte of the characters for which escaped(character, place) holds as \xNN, lower case.
template <class Escaped>
std::string escape_bytes(std::string_view bytes, const Escaped& escaped) {
  std::string out;
  out.reserve(bytes.size());
  for (std::size_t at = 0; at < bytes.size();) {
    const utf8_character c = utf8_at(bytes, at);
    const std::string_view text = bytes.substr(at, c.size);
    if (!escaped(c, at)) {
      out += text;
    } else {
      for (const char byte : text) append_hex(out += "\\x", static_cast<unsigned char>(byte));
    }
    at += c.size;
  }
  return out;
}

// Would visible() not be undone, or not be a text that tables can hold?
inline bool is_hidden(std::string_view bytes, const utf8_character& c, std::size_t at) noexcept {
  return !c.valid || c.value == 0 || (c.value == '\\' && at + 1 < bytes.size() && bytes[at + 1] == 'x');
}

inline bool is_control(char32_t c) noexcept { return c < 0x20 || (c >= 0x7f && c < 0xa0); }

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
  return detail::escape_bytes(
      bytes, [&](const utf8_character& c, std::size_t at) { return detail::is_hidden(bytes, c, at); });
}

// visible() on one line of a terminal, which it cannot steer: control characters become \xNN too.
inline std::string visible_line(std::string_view bytes) {
  return detail::escape_bytes(bytes, [&](const utf8_character& c, std::size_t at) {
    return detail::is_hidden(bytes, c, at) || detail::is_control(c.value);
  });
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

// `text` in single quotes for messages: at most `cap` bytes of it, in ASCII.
inline std::string printable(std::string_view text, std::size_t cap = 80) {
  const std::string shown = detail::escape_bytes(
      text.substr(0, cap),
      [](const utf8_character& c, std::size_t) { return c.value < 0x20 || c.value >= 0x7f; });
  return "'" + shown + (text.size() > cap ? "...'" : "'");
}

}  // namespace depthlens
