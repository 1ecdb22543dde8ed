// SPDX-License-Identifier: Apache-2.0
// stdout is for results, and a plugin that prints there would spoil them.
#pragma once

#include <cstddef>

namespace depthlens {

// From now on std::cout alone writes to what was stdout; what else is printed there, by plugins and the
// libraries that they bring along, goes to stderr. Where it cannot be had apart, nothing changes. To be
// called once, before anything is printed. [main]
void keep_stdout_for_results();

// The descriptor that std::cout writes to.
int results_descriptor();

// True where results go to a terminal that shows colours, and the user has not set NO_COLOR.
bool results_take_colour();
// The width of the terminal that results go to; 0 where they go elsewhere, or it is not known.
std::size_t results_columns();

}  // namespace depthlens
