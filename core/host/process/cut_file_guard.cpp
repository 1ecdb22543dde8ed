// SPDX-License-Identifier: Apache-2.0
#include "process/cut_file_guard.hpp"

#include "depthlens/base/error.hpp"
#include "process/last_words.hpp"
#include "process/signal_line.hpp"

#include <signal.h>

namespace depthlens {
namespace {

// Runs in a signal handler: no allocation, no lock, no stream.
void end_program(int number, siginfo_t* about, void*) {
  if (about->si_code != BUS_ADRERR) end_with_crash(number);
  signal_line line;
  line << "a file that is being read (model, lens or data) was cut short by another program, or its disk "
          "gives an error; what is finished is kept: restore the file and give the same command again";
  line.write();
  end_process(static_cast<int>(status::io));
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
