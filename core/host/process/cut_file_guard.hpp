// SPDX-License-Identifier: Apache-2.0
// Model and lens files are read in place; one that another program cuts short while it is mapped has no bytes
// any more where they are expected, and the kernel says so by SIGBUS.
#pragma once

namespace depthlens {

// From now on such a file ends the program with one line on stderr and status::io, whichever thread meets it.
// What is finished is in the run's log by then; nothing is flushed or removed. Any other SIGBUS is a crash
// (process/last_words.hpp). [main]
void end_cleanly_on_cut_files();

}  // namespace depthlens
