// SPDX-License-Identifier: Apache-2.0
// The white space behind a token of CoNLL-U, as its last column says: nothing with SpaceAfter=No, what
// SpacesAfter spells out (\s a blank, \t a tab, \r, \n), else one blank. Line ends count as one blank, as
// they do within a paragraph of plain text.
#pragma once

#include <depthlens/base/utf8.hpp>

#include <cstddef>
#include <string>
#include <string_view>

namespace depthlens {
namespace detail {

// One blank where the value is no white space, or holds a line end.
inline std::string spelled_spaces(std::string_view value) {
  std::string out;
  for (std::size_t at = 0; at < value.size(); ++at) {
    if (value[at] != '\\' || at + 1 == value.size()) {
      out += value[at];
      continue;
    }
    const char escaped = value[++at];
    if (escaped == 'n') return " ";
    if (escaped == 's')
      out += ' ';
    else if (escaped == 't')
      out += '\t';
    else if (escaped == 'r')
      out += '\r';
    else
      return " ";
  }
  return out.empty() || utf8_skip_white_space(out, 0) != out.size() ? " " : out;
}

}  // namespace detail

// `misc` is the tenth column.
inline std::string spaces_after(std::string_view misc) {
  constexpr std::string_view spelled = "SpacesAfter=";
  std::string out = " ";
  while (!misc.empty()) {
    const std::size_t bar = misc.find('|');
    const std::string_view item = misc.substr(0, bar);
    if (item == "SpaceAfter=No") return "";
    if (item.starts_with(spelled)) out = detail::spelled_spaces(item.substr(spelled.size()));
    misc = bar == std::string_view::npos ? std::string_view() : misc.substr(bar + 1);
  }
  return out;
}

}  // namespace depthlens
