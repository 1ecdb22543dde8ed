// SPDX-License-Identifier: Apache-2.0
#include "terminal/token_text.hpp"

#include "depthlens/base/text.hpp"
#include "depthlens/base/utf8.hpp"

#include <utf8proc.h>

#include <algorithm>
#include <array>

namespace depthlens {
namespace {

struct sign {
  char32_t of;
  std::string_view shown;  // UTF-8
};
constexpr std::array signs = {sign{U' ', "\xC2\xB7"}, sign{U'\n', "\xE2\x8F\x8E"},
                              sign{U'\r', "\xE2\x90\x8D"}, sign{U'\t', "\xE2\x87\xA5"}};

std::string_view sign_of(char32_t c) {
  const auto* found = std::find_if(signs.begin(), signs.end(), [&](const sign& s) { return s.of == c; });
  return found == signs.end() ? std::string_view() : found->shown;
}

bool is_sign(std::string_view character) {
  return std::any_of(signs.begin(), signs.end(), [&](const sign& s) { return s.shown == character; });
}

// Letters, marks and symbols that nothing is drawn for: fillers, selectors, the blank of Braille.
bool is_empty_form(char32_t c) {
  return c == 0x034F || c == 0x115F || c == 0x1160 || c == 0x17B4 || c == 0x17B5 ||
         (c >= 0x180B && c <= 0x180F) || c == 0x2800 || c == 0x3164 || (c >= 0xFE00 && c <= 0xFE0F) ||
         c == 0xFFA0 || (c >= 0xE0000 && c <= 0xE0FFF);
}

bool has_no_form(char32_t c) {
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(c))) {
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
    case UTF8PROC_CATEGORY_ZS:
      return true;
    default:
      return is_empty_form(c);
  }
}

std::size_t columns_of(char32_t c) {
  return static_cast<std::size_t>(std::max(0, utf8proc_charwidth(static_cast<utf8proc_int32_t>(c))));
}

bool is_mark(char32_t c) {
  const utf8proc_category_t category = utf8proc_category(static_cast<utf8proc_int32_t>(c));
  return category == UTF8PROC_CATEGORY_MN || category == UTF8PROC_CATEGORY_ME;
}

enum class blanks { marked, plain };

std::string with_signs(std::string_view bytes, blanks how) {
  constexpr int most_marks = 4;  // on one letter
  std::string out;
  int marks = 0;
  for (std::size_t at = 0; at < bytes.size();) {
    const utf8_character c = utf8_at(bytes, at);
    const std::string_view text = bytes.substr(at, c.size);
    const std::string_view shown = c.valid ? sign_of(c.value) : std::string_view();
    marks = c.valid && is_mark(c.value) ? marks + 1 : 0;
    if (text == " " && how == blanks::plain)
      out += text;
    else if (!shown.empty())
      out += shown;
    else if (detail::is_hidden(bytes, c, at) || has_no_form(c.value) || is_sign(text) || marks > most_marks)
      for (const char byte : text) detail::append_hex(out += "\\x", static_cast<unsigned char>(byte));
    else
      out += text;
    at += c.size;
  }
  return out;
}

}  // namespace

std::string shown_token(std::string_view bytes) { return with_signs(bytes, blanks::marked); }

std::string shown_text(std::string_view bytes) { return with_signs(bytes, blanks::plain); }

std::string shortened_text(const std::string& text, std::size_t most) {
  std::size_t at = 0;
  for (std::size_t n = 0; at < text.size() && n < most; ++n) at += utf8_at(text, at).size;
  return at < text.size() ? text.substr(0, at) + "\xE2\x80\xA6" : text;
}

std::size_t columns_of_text(const std::string& text) {
  std::size_t columns = 0;
  for (std::size_t at = 0; at < text.size();) {
    const utf8_character c = utf8_at(text, at);
    columns += columns_of(c.value);
    at += c.size;
  }
  return columns;
}

std::string column_text(const std::string& text, std::size_t width) {
  std::size_t columns = 0, at = 0;
  while (at < text.size()) {
    const utf8_character c = utf8_at(text, at);
    const std::size_t more = columns_of(c.value);
    if (columns + more > width) break;
    columns += more;
    at += c.size;
  }
  return text.substr(0, at) + std::string(width - columns, ' ');
}

}  // namespace depthlens
