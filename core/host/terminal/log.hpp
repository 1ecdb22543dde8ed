// SPDX-License-Identifier: Apache-2.0
// Lines for the user on stderr. Results go to stdout or files, never through here. [any thread]
#pragma once

#include <string_view>

namespace depthlens {

// --quiet: warnings and errors only.
void set_quiet(bool quiet);
bool quiet();
void log_info(std::string_view line);
void log_warning(std::string_view line);
void log_error(std::string_view line);

// True where stderr is a terminal that may be drawn on.
bool stderr_is_terminal();
bool use_colour();  // a terminal, and no NO_COLOR

// Removes the progress bar's line, if one is drawn, so that other text can be written. Called by the log
// itself.
void set_status_line(std::string_view text);  // "" = none

}  // namespace depthlens
