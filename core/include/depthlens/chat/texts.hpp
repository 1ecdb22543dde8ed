// SPDX-License-Identifier: Apache-2.0
// Texts as Python's str has them: strip, split, replace, upper and lower. White space is Python's; letters
// beyond ASCII change their case in ways that are not known here, so they are refused.
#pragma once

#include "depthlens/base/error.hpp"
#include "depthlens/base/utf8.hpp"
#include "depthlens/chat/budget.hpp"
#include "depthlens/chat/value.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

namespace depthlens::chat {

enum class text_side { left, right, both };

// `set`: the characters to take off; empty = white space.
inline std::string_view stripped(std::string_view text, text_side side, std::string_view set = {}) {
  if (utf8_first_broken(set) != std::string_view::npos || utf8_count(set) != set.size())
    fail(status::data, "strips characters beyond ASCII");
  const auto goes = [&](char c) { return set.find(c) != std::string_view::npos; };
  if (side != text_side::right) {
    std::size_t n = 0;
    while (n < text.size() && goes(text[n])) ++n;
    text.remove_prefix(set.empty() ? utf8_skip_white_space(text, 0) : n);
  }
  if (side == text_side::left) return text;
  if (set.empty())
    while (ends_in_white_space(text)) text.remove_suffix(utf8_last(text).size);
  else
    while (!text.empty() && goes(text.back())) text.remove_suffix(1);
  return text;
}

enum class letter_case { upper, lower, title };

inline std::string in_case(std::string text, letter_case wanted) {
  bool first = true;  // of a word
  for (char& c : text) {
    if (static_cast<unsigned char>(c) >= 0x80) fail(status::data, "changes the case of letters beyond ASCII");
    const bool lower = c >= 'a' && c <= 'z', upper = c >= 'A' && c <= 'Z';
    const bool up = wanted == letter_case::upper || (wanted == letter_case::title && first);
    if (up && lower) c = static_cast<char>(c - 'a' + 'A');
    if (!up && upper) c = static_cast<char>(c - 'A' + 'a');
    first = !lower && !upper;
  }
  return text;
}

inline value_list split(const std::string& text, const std::string& by, budget& work) {
  if (by.empty()) fail(status::data, "splits a text at nothing");
  work.search(text.size(), by.size());
  value_list out;
  std::size_t from = 0;
  for (std::size_t at; (at = text.find(by, from)) != std::string::npos; from = at + by.size()) {
    work.copy(64);
    out.emplace_back(text.substr(from, at - from));
  }
  out.emplace_back(text.substr(from));
  return out;
}

inline std::string replaced(const std::string& text, const std::string& what, const std::string& by,
                            budget& work) {
  if (what.empty()) fail(status::data, "replaces an empty text");
  work.search(text.size(), what.size());
  std::string out;
  std::size_t from = 0;
  for (std::size_t at; (at = text.find(what, from)) != std::string::npos; from = at + what.size()) {
    work.copy(by.size());
    out.append(text, from, at - from).append(by);
  }
  return out.append(text, from);
}

// 26 July 2024, a Friday, whenever it is: the same command gives the same text. It is the date that the
// templates of Llama 3.1 and later name themselves.
inline std::string fixed_date(std::string_view format) {
  constexpr std::string_view letters = "YymdbBaAHMS";
  constexpr const char* meant[] = {"2024", "24",     "07", "26", "Jul", "July",
                                   "Fri",  "Friday", "00", "00", "00"};
  std::string out;
  for (std::size_t i = 0; i < format.size(); ++i) {
    if (format[i] != '%') {
      out += format[i];
      continue;
    }
    const auto k = ++i < format.size() ? letters.find(format[i]) : std::string_view::npos;
    if (k == std::string_view::npos) fail(status::data, "asks for the date in a form that is not understood");
    out += meant[k];
  }
  return out;
}

}  // namespace depthlens::chat
