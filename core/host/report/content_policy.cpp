// SPDX-License-Identifier: Apache-2.0
#include "report/content_policy.hpp"

#include "depthlens/base/hash.hpp"

#include <cstddef>
#include <cstdint>

namespace depthlens {
namespace {

// The bytes that `hex` writes down, in base64.
std::string base64_of(std::string_view hex) {
  static constexpr char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t at = 0; at < hex.size(); at += 6) {  // three bytes are four letters
    const std::string_view part = hex.substr(at, 6);
    std::uint32_t bits = 0;
    for (std::size_t i = 0; i < 6; ++i)
      bits = bits << 4 | (i < part.size() ? static_cast<std::uint32_t>(detail::hex_value(part[i])) : 0U);
    const std::size_t used = part.size() / 2 + 1;
    for (std::size_t i = 0; i < 4; ++i) out += i < used ? letters[bits >> (18 - 6 * i) & 63] : '=';
  }
  return out;
}

std::string source(std::string_view text) { return "'sha256-" + base64_of(sha256(text)) + "'"; }

}  // namespace

std::string content_policy(std::string_view style, std::string_view script) {
  return "default-src 'none'; script-src " + source(script) + "; style-src " + source(style) +
         "; base-uri 'none'; form-action 'none'";
}

}  // namespace depthlens
