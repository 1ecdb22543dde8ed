// SPDX-License-Identifier: Apache-2.0
#include "terminal/stop_signal.hpp"

#include "depthlens/error.hpp"

#include <csignal>
#include <cstdlib>

namespace depthlens {
namespace {

std::atomic<bool> asked{false};

extern "C" void on_signal(int number) {
  if (asked.exchange(true) && number == SIGINT) std::_Exit(static_cast<int>(status::stopped));
}

}  // namespace

void catch_stop_signals() {
  for (const int s : {SIGTERM, SIGINT, SIGUSR1}) std::signal(s, on_signal);
}

const std::atomic<bool>& stop_asked() { return asked; }

}  // namespace depthlens
