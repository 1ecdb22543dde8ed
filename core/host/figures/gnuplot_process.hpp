// SPDX-License-Identifier: Apache-2.0
// gnuplot as a child process. It is started by its name through PATH, never through a shell, never by a
// command from the environment (GNUPLOT_IOSTREAM_CMD), without the user's start-up files, and in an
// environment that cannot change a picture. It never holds up the program: its time is limited, and a signal
// that stops depthlens ends it at once.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>

namespace depthlens {

enum class gnuplot_state { usable, absent, broken };

// What became of "gnuplot --version".
struct gnuplot_verdict {
  gnuplot_state state;
  std::string words;  // "gnuplot is not installed", "gnuplot --version ended by signal 11 (...)"; "" = usable
};
inline constexpr std::chrono::milliseconds version_time{30000};
// Throws status::stopped where stop_asked() and there is no answer yet.
gnuplot_verdict check_gnuplot(std::chrono::milliseconds time = version_time);

inline bool gnuplot_available() { return check_gnuplot().state == gnuplot_state::usable; }

// Runs `script` with `folder` as current folder and LC_ALL=C, and waits for the end. Does not print, and no
// signal reaches the caller when gnuplot dies. Throws status::unavailable where there is no gnuplot;
// status::io with gnuplot's own message where it fails, leaves a part of the script unread or does not end
// within `time`; status::stopped where stop_asked().
inline constexpr std::chrono::milliseconds drawing_time{60000};
void run_gnuplot(const std::filesystem::path& folder, const std::string& script,
                 std::chrono::milliseconds time = drawing_time);

}  // namespace depthlens
