// SPDX-License-Identifier: Apache-2.0
// What the data readers need to know about UTF-8 text: is it valid, how many characters has it, where are its
// words. A character is one Unicode code point, as in Python's len(); white space is what Python's
// str.split() and str.strip() take for it, because the reference results were made with them. Tokenizers have
// their own rules.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace depthlens {

// One character of a text. `size` is the number of its bytes; for bytes that are no UTF-8, `valid` is false
// and `size` is the length of the longest broken part (>= 1) that a decoder replaces by one U+FFFD.
struct utf8_character {
  char32_t value;
  std::size_t size;
  bool valid;
};

// The character at byte `at`, which must be < text.size(). Overlong forms, surrogates and values above
// U+10FFFF are not valid.
inline utf8_character utf8_at(std::string_view text, std::size_t at) noexcept {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[at + i]); };
  const unsigned lead = byte(0);
  if (lead < 0x80) return {lead, 1, true};
  const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4) return {0xFFFD, 1, false};
  // A narrower second byte after these leads excludes overlong forms, surrogates and what is above U+10FFFF.
  const unsigned low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  const unsigned high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  char32_t value = lead & (0xFFU >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    if (at + i >= text.size()) return {0xFFFD, i, false};
    const unsigned next = byte(i);
    if (next < (i == 1 ? low : 0x80U) || next > (i == 1 ? high : 0xBFU)) return {0xFFFD, i, false};
    value = (value << 6) | (next & 0x3F);
  }
  return {value, length, true};
}

// The byte offset of the first byte that is no UTF-8, or npos.
inline std::size_t utf8_first_broken(std::string_view text) noexcept {
  std::size_t at = 0;
  while (at < text.size()) {
    std::uint64_t eight = 0;
    if (text.size() - at >= sizeof eight) {
      std::memcpy(&eight, text.data() + at, sizeof eight);
      if ((eight & 0x8080808080808080ULL) == 0) {
        at += sizeof eight;
        continue;
      }
    }
    const utf8_character c = utf8_at(text, at);
    if (!c.valid) return at;
    at += c.size;
  }
  return std::string_view::npos;
}

// Number of characters of a valid text.
inline std::size_t utf8_count(std::string_view text) noexcept {
  std::size_t n = 0;
  for (const char c : text) n += (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  return n;
}

// The text with every broken part replaced by U+FFFD, as Python's bytes.decode(errors="replace") does it.
inline std::string utf8_replace_broken(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const utf8_character c = utf8_at(text, at);
    out += c.valid ? text.substr(at, c.size) : std::string_view("\xEF\xBF\xBD");
    at += c.size;
  }
  return out;
}

// The characters that Python's str.split() and str.isspace() take for white space.
inline bool is_split_character(char32_t c) noexcept {
  if (c <= 0x20) return c == 0x20 || (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x1F);
  return c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 ||
         c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

// The first byte at or after `at` that does not belong to a white-space character.
inline std::size_t utf8_skip_white_space(std::string_view text, std::size_t at) noexcept {
  while (at < text.size()) {
    const utf8_character c = utf8_at(text, at);
    if (!is_split_character(c.value)) break;
    at += c.size;
  }
  return at;
}

// White space that ends a line, as Python's str.splitlines() sees it.
inline bool is_line_end(char32_t c) noexcept {
  return (c >= 0x0A && c <= 0x0D) || (c >= 0x1C && c <= 0x1E) || c == 0x85 || c == 0x2028 || c == 0x2029;
}

// The last character; broken bytes at the end are one character that is not valid.
inline utf8_character utf8_last(std::string_view text) noexcept {
  if (text.empty()) return {0xFFFD, 0, false};
  std::size_t at = text.size() - 1;
  while (at > 0 && text.size() - at < 4 && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) --at;
  const utf8_character c = utf8_at(text, at);
  return c.valid && at + c.size == text.size() ? c : utf8_character{0xFFFD, 1, false};
}

inline bool ends_in_white_space(std::string_view text) noexcept {
  return !text.empty() && is_split_character(utf8_last(text).value);
}
inline bool begins_with_white_space(std::string_view text) noexcept {
  return !text.empty() && is_split_character(utf8_at(text, 0).value);
}
// A blank: white space that does not end a line, such as " ", a tab, U+00A0 or U+3000.
inline bool ends_in_blank(std::string_view text) noexcept {
  return ends_in_white_space(text) && !is_line_end(utf8_last(text).value);
}
inline bool begins_with_blank(std::string_view text) noexcept {
  return begins_with_white_space(text) && !is_line_end(utf8_at(text, 0).value);
}

// A white-space separated word: text[begin, end).
struct word_range {
  std::size_t begin, end;
};

inline std::vector<word_range> utf8_words(std::string_view text) {
  std::vector<word_range> words;
  for (std::size_t at = utf8_skip_white_space(text, 0); at < text.size();) {
    const std::size_t begin = at;
    while (at < text.size()) {
      const utf8_character c = utf8_at(text, at);
      if (is_split_character(c.value)) break;
      at += c.size;
    }
    words.push_back({begin, at});
    at = utf8_skip_white_space(text, at);
  }
  return words;
}

// The text without white space at its ends: from the first to the last word.
inline std::string_view utf8_strip(std::string_view text) noexcept {
  const std::size_t begin = utf8_skip_white_space(text, 0);
  std::size_t end = begin;
  for (std::size_t at = begin; at < text.size();) {
    const utf8_character c = utf8_at(text, at);
    at += c.size;
    if (!is_split_character(c.value)) end = at;
  }
  return text.substr(begin, end - begin);
}

}  // namespace depthlens
