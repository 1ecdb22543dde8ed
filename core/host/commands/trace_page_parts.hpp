// SPDX-License-Identifier: Apache-2.0
// The files of the folder trace_page, which the build puts into the program.
#pragma once

#include <string_view>

namespace depthlens {

extern const std::string_view trace_page_style, trace_page_body, trace_page_script;

}  // namespace depthlens
