// SPDX-License-Identifier: Apache-2.0
// The Content-Security-Policy of a page: nothing is fetched, sent or run but its own style and script, which
// are known by their hashes.
#pragma once

#include <string>
#include <string_view>

namespace depthlens {

// The value of the header; no character of it needs to be escaped within double quotes.
std::string content_policy(std::string_view style, std::string_view script);

}  // namespace depthlens
