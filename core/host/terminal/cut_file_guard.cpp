// SPDX-License-Identifier: Apache-2.0
#include "terminal/cut_file_guard.hpp"

#include "depthlens/error.hpp"

#include <signal.h>
#include <unistd.h>

#include <string_view>

namespace depthlens {
namespace {

// Runs in a signal handler: no allocation, no lock, no stream.
void end_program(int number, siginfo_t* about, void*) {
  if (about->si_code != BUS_ADRERR) {
    ::signal(number, SIG_DFL);
    ::raise(number);
    return;
  }
  constexpr std::string_view line =
      "\ndepthlens: error: a file that is being read (model, lens or data) was cut short by another program; "
      "what is "
      "finished is kept: restore the file and give the same command again\n";
  // With a progress bar the line begins anew; without one the first byte would be an empty line.
  const bool terminal = ::isatty(STDERR_FILENO) != 0;
  const std::string_view shown = line.substr(terminal ? 0 : 1);
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, shown.data(), shown.size());
  ::_exit(static_cast<int>(status::io));
}

}  // namespace

void end_cleanly_on_cut_files() {
  struct sigaction action {};
  action.sa_sigaction = end_program;
  action.sa_flags = SA_SIGINFO;
  sigemptyset(&action.sa_mask);
  ::sigaction(SIGBUS, &action, nullptr);
}

}  // namespace depthlens
