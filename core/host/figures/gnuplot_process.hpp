// SPDX-License-Identifier: Apache-2.0
// gnuplot as a child process. It is started by its name through PATH, never through a shell, never by a
// command from the environment (GNUPLOT_IOSTREAM_CMD), and without the user's start-up files.
#pragma once

#include <filesystem>
#include <string>

namespace depthlens {

// Is there a program "gnuplot" that can say its version?
bool gnuplot_available();

// Runs `script` with `folder` as current folder and LC_ALL=C, and waits for the end. Does not print, and no
// signal reaches the caller when gnuplot dies. Throws status::unavailable where there is no gnuplot;
// status::io with gnuplot's own message where it fails.
void run_gnuplot(const std::filesystem::path& folder, const std::string& script);

}  // namespace depthlens
