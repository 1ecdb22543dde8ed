// SPDX-License-Identifier: Apache-2.0
// Lines for the user on stderr. Results go to stdout or files, never through here. [any thread]
#pragma once

#include <boost/json/object.hpp>

#include <string_view>

namespace depthlens {

// --quiet: warnings and errors only.
void set_quiet(bool quiet);
bool quiet();

// --progress. With json each line of stderr is an object, messages too: "event" is info, warning, error or
// progress; share/doc/progress.md has the rest.
enum class progress_form { automatic, lines, json, none };
void set_progress(progress_form form);
progress_form progress_asked();

void log_info(std::string_view line);
void log_warning(std::string_view line);
void log_error(std::string_view line);

// True where stderr is a terminal that may be drawn on: with --progress as it is by default.
bool stderr_is_terminal();
bool use_colour();  // a terminal, and no NO_COLOR

// Lines that stand for themselves, without the program's name before them. Each is made fit for a terminal.
void log_text(std::string_view lines);

// Where --progress json asks for it.
void log_progress(const boost::json::object& members);

// Removes the progress bar's line, if one is drawn, so that other text can be written. Called by the log
// itself.
void set_status_line(std::string_view text);  // "" = none

}  // namespace depthlens
