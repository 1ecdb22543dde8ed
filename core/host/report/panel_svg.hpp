// SPDX-License-Identifier: Apache-2.0
// A panel of a figure as inline SVG: axes, ticks, labels and marks, with what the script of the page needs to
// say values.
#pragma once

#include "report/panel_marks.hpp"

#include <string>

namespace depthlens {

// `name`: of the panel, for people who do not see it.
std::string panel_svg(const laid_out_panel& panel, const std::string& name);

}  // namespace depthlens
