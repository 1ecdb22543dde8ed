// SPDX-License-Identifier: Apache-2.0
// The environment in which gnuplot draws: the user's, without what would change or hinder a picture. Scripts
// name terminal, fonts, encoding and files themselves, so nothing that gnuplot needs to run is lost.
#pragma once

#include <string>
#include <vector>

namespace depthlens {

// `given` as environ has it: NAME=VALUE, null at the end.
std::vector<std::string> gnuplot_environment(const char* const* given);

}  // namespace depthlens
