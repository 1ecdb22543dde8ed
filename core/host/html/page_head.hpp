// SPDX-License-Identifier: Apache-2.0
// The head of a page that needs no network and no other file, and lets nothing run but its own script.
#pragma once

#include <string>
#include <string_view>

namespace depthlens {

// The Content-Security-Policy of a page: nothing is fetched, sent or run but its own style and script, which
// are known by their hashes. No character of it needs to be escaped within double quotes.
std::string content_policy(std::string_view style, std::string_view script);

inline constexpr std::string_view page_begin = "<!DOCTYPE html>";

// From <!DOCTYPE> to </head>. title: HTML. The script itself belongs to the end of the body.
std::string page_head(std::string_view title, std::string_view style, std::string_view script);

}  // namespace depthlens
