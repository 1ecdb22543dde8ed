// SPDX-License-Identifier: Apache-2.0
// Texts inside a page of HTML, so that no text of a model or of data becomes markup or ends a script.
#pragma once

#include "depthlens/base/hash.hpp"

#include <boost/json.hpp>

#include <cstddef>
#include <string>
#include <string_view>

namespace depthlens {

// For the content of elements.
inline std::string html_text(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '&')
      out += "&amp;";
    else if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else
      out += c;
  }
  return out;
}

// A string of JSON inside <script>; valid UTF-8.
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

inline std::string base64(std::string_view bytes) {
  constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    unsigned three = 0;
    for (std::size_t i = 0; i < 3; ++i)
      three = three << 8 | (at + i < bytes.size() ? static_cast<unsigned char>(bytes[at + i]) : 0u);
    for (std::size_t i = 0; i < 4; ++i)
      out += at + i > bytes.size() ? '=' : digits[three >> (18 - 6 * i) & 63];
  }
  return out;
}

// 'sha256-...': how a Content-Security-Policy names the one script or style that it lets in.
inline std::string content_policy_hash(std::string_view content) {
  const std::string hex = sha256(content);
  std::string bytes;
  for (std::size_t at = 0; at < hex.size(); at += 2)
    bytes += static_cast<char>(detail::hex_value(hex[at]) * 16 + detail::hex_value(hex[at + 1]));
  return "'sha256-" + base64(bytes) + "'";
}

}  // namespace depthlens
