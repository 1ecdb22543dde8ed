// SPDX-License-Identifier: Apache-2.0
#include "html/page_head.hpp"

#include "depthlens/base/hash.hpp"
#include "depthlens/base/text.hpp"

#include <openssl/evp.h>

#include <array>

namespace depthlens {
namespace {

std::string source(std::string_view content) {
  const std::string hex = sha256(content);
  std::array<unsigned char, 32> digest{};
  for (std::size_t i = 0; i < digest.size(); ++i)
    digest[i] =
        static_cast<unsigned char>(detail::hex_value(hex[2 * i]) * 16 + detail::hex_value(hex[2 * i + 1]));
  std::array<unsigned char, 45> letters{};  // four for each three bytes, and a NUL
  const int n = EVP_EncodeBlock(letters.data(), digest.data(), static_cast<int>(digest.size()));
  return cat("'sha256-", std::string(letters.begin(), letters.begin() + n), "'");
}

}  // namespace

std::string content_policy(std::string_view style, std::string_view script) {
  return cat("default-src 'none'; script-src ", source(script), "; style-src ", source(style),
             "; img-src data:; base-uri 'none'; form-action 'none'");
}

std::string page_head(std::string_view title, std::string_view style, std::string_view script) {
  // Without an icon of its own a browser asks the server for one.
  return cat(page_begin,
             "\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
             "<meta http-equiv=\"Content-Security-Policy\" content=\"",
             content_policy(style, script),
             "\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
             "<meta name=\"referrer\" content=\"no-referrer\">\n<link rel=\"icon\" href=\"data:,\">\n<title>",
             title, "</title>\n<style>", style, "</style>\n</head>\n");
}

}  // namespace depthlens
