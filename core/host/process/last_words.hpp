// SPDX-License-Identifier: Apache-2.0
// However the program ends, it says why in one line: a crash, an exception that nobody catches, a plugin that
// ends the program or does not come back. What is finished is in the run's log by then.
#pragma once

namespace depthlens {

// From now on a crash (SIGSEGV, SIGABRT, SIGFPE, SIGILL) or an exception that nobody catches ends the program
// with one line, which names the plugin and its function where it is in one, and with status::internal.
// Builds with sanitizers keep theirs. [main]
void say_why_on_crashes();

// The end of such a crash. [a signal handler]
[[noreturn]] void end_with_crash(int signal) noexcept;

// Undoes that, in a child process: its parent sees how it ended.
void crash_without_words() noexcept;

// For what stands in for exit, _exit and quick_exit: a plugin may not end the program. Where this thread is
// in a plugin's function, one line and status::internal are its end; otherwise nothing happens. Not in a
// child of the program. `how` is the function that was called.
void refuse_exit_of_plugin(const char* how, int code) noexcept;

// Asked to stop: from now on a plugin that has not come back for 25 seconds ends the program with one line
// that names it and status::stopped. A run ends sooner and saves its records (run/quick_end.hpp), for which
// that takes locks and a thread of its own; this needs neither, and is all that other commands have.
// [a signal handler]
void end_with_hung_plugins() noexcept;

// Ends the program at once, naming a plugin that is at work. [a signal handler]
[[noreturn]] void stop_at_once() noexcept;

}  // namespace depthlens
