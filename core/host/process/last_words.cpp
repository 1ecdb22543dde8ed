// SPDX-License-Identifier: Apache-2.0
#include "process/last_words.hpp"

#include "depthlens/base/error.hpp"
#include "process/plugin_call.hpp"

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <exception>
#include <new>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define DEPTHLENS_UNDER_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define DEPTHLENS_UNDER_SANITIZER 1
#endif
#endif

namespace depthlens {
namespace {

constexpr int fatal_signals[] = {SIGSEGV, SIGABRT, SIGFPE, SIGILL};
constexpr unsigned look_seconds = 2, looks = 12;
constexpr std::string_view kept_note = "; what is finished is kept";

std::atomic<pid_t> program{0};  // that says why; a child of it does not
std::atomic_flag spoken = ATOMIC_FLAG_INIT;

[[noreturn]] void end(status code) noexcept { end_process(static_cast<int>(code)); }

// Of several threads that end the program at once one speaks.
void only_once() noexcept {
  while (spoken.test_and_set()) ::pause();
}

const char* name_of(int number) noexcept {
  switch (number) {
    case SIGSEGV:
      return "segmentation fault";
    case SIGABRT:
      return "abort";
    case SIGBUS:
      return "bus error";
    case SIGFPE:
      return "arithmetic error";
    default:
      return "illegal instruction";
  }
}

// Some libraries do not look at what an allocation gives them.
bool memory_is_short() noexcept {
  constexpr std::size_t enough = 32u << 20;
  void* const room = ::mmap(nullptr, enough, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (room == MAP_FAILED) return true;
  ::munmap(room, enough);
  return false;
}

// "out of memory: backend cpu, forward: segmentation fault"
void say(const char* what) noexcept {
  signal_line line;
  if (memory_is_short()) line << "out of memory: ";
  if (const auto* call = call_here())
    line << *call << ": " << what;
  else if (const auto* other = call_elsewhere())
    line << "internal: " << what << " while a plugin was at work (" << *other << ")";
  else
    line << "internal: " << what;
  (line << kept_note).write();
}

extern "C" void on_crash(int number) { end_with_crash(number); }

extern "C" void on_look(int) {
  if (const auto* call = overdue_call(looks)) {
    only_once();
    signal_line line;
    (line << "stopped: " << *call << " does not come back" << kept_note).write();
    end(status::stopped);
  }
  ::alarm(look_seconds);
}

[[noreturn]] void on_terminate() {
  only_once();
  try {
    if (const std::exception_ptr e = std::current_exception()) std::rethrow_exception(e);
    say("ended by std::terminate");
  } catch (const std::bad_alloc&) {
    signal_line line;
    line << "out of memory";
    if (const auto* call = call_here()) line << ": " << *call;
    (line << kept_note).write();
  } catch (const std::exception& e) {
    say(e.what());
  } catch (...) {
    say("an exception of unknown type");
  }
  end(status::internal);
}

}  // namespace

void say_why_on_crashes() {
  program = ::getpid();
#ifndef DEPTHLENS_UNDER_SANITIZER
  std::set_terminate(on_terminate);
  struct sigaction action {};
  action.sa_handler = on_crash;
  action.sa_flags = SA_ONSTACK;
  sigemptyset(&action.sa_mask);
  for (const int number : fatal_signals) ::sigaction(number, &action, nullptr);
#endif
}

void end_with_crash(int signal) noexcept {
  only_once();
  say(name_of(signal));
  end(status::internal);
}

void crash_without_words() noexcept {
  program = 0;
  std::set_terminate(std::abort);
  for (const int number : fatal_signals) ::signal(number, SIG_DFL);
  for (const int number : {SIGBUS, SIGTERM, SIGINT, SIGUSR1, SIGXCPU, SIGALRM}) ::signal(number, SIG_DFL);
}

void refuse_exit_of_plugin(const char* how, int code) noexcept {
  const auto* call = call_here();
  if (call == nullptr || ::getpid() != program) return;
  only_once();
  signal_line line;
  line << *call << ": called " << how << "(" << code << "), which a plugin may not";
  (line << kept_note).write();
  end(status::internal);
}

void end_with_hung_plugins() noexcept {
  struct sigaction action {};
  action.sa_handler = on_look;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  ::sigaction(SIGALRM, &action, nullptr);
  overdue_call(looks);
  ::alarm(look_seconds);
}

void stop_at_once() noexcept {
  only_once();
  const auto* call = call_elsewhere();
  if (const auto* here = call_here()) call = here;
  signal_line line;
  line << "stopped at once";
  if (call != nullptr) line << "; at work was " << *call;
  (line << kept_note).write();
  end(status::stopped);
}

}  // namespace depthlens
