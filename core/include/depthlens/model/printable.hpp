// SPDX-License-Identifier: Apache-2.0
// Text out of an untrusted file, made fit for one line of an error message: control characters and bytes that
// are not ASCII become \xNN (a terminal must not be steered by a tensor name), long text is cut.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace depthlens {

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
