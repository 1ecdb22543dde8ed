// SPDX-License-Identifier: Apache-2.0
#include "process/stop_signal.hpp"

#include "process/last_words.hpp"

#include <csignal>
#include <cstdint>
#include <ctime>

namespace depthlens {
namespace {

// One wish to stop may come twice, to the program and to its process group.
constexpr std::int64_t same_wish = 1'000'000'000;  // ns

std::atomic<bool> asked{false}, idle{false};
std::atomic<std::int64_t> first{0};

std::int64_t monotonic_now() noexcept {
  timespec t{};
  ::clock_gettime(CLOCK_MONOTONIC, &t);
  return std::int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec;
}

extern "C" void on_signal(int number) {
  if (idle) stop_at_once();
  if (!asked.exchange(true)) {
    first = monotonic_now();
    return end_with_hung_plugins();
  }
  if (number == SIGINT || (number == SIGTERM && monotonic_now() - first > same_wish)) stop_at_once();
}

}  // namespace

// On the stack that a plugin call lays out: code made at run time, as oneDNN's products are, may keep values
// below the stack pointer, where a frame of the handler would overwrite them.
void catch_stop_signals() {
  struct sigaction action {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_ONSTACK | SA_RESTART;
  for (const int s : {SIGTERM, SIGINT, SIGUSR1, SIGXCPU}) ::sigaction(s, &action, nullptr);
  // Under nohup a terminal that goes away ends nothing.
  struct sigaction hangup {};
  if (::sigaction(SIGHUP, nullptr, &hangup) == 0 && hangup.sa_handler != SIG_IGN)
    ::sigaction(SIGHUP, &action, nullptr);
}

nothing_begun::nothing_begun() noexcept { idle = true; }

nothing_begun::~nothing_begun() { idle = false; }

void ask_to_stop() {
  if (asked.exchange(true)) return;
  first = monotonic_now();
  end_with_hung_plugins();
}

const std::atomic<bool>& stop_asked() { return asked; }

}  // namespace depthlens
