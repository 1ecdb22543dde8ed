// SPDX-License-Identifier: Apache-2.0
#include "validate/check.hpp"

#include "depthlens/base/error.hpp"
#include "depthlens/base/text.hpp"
#include "process/last_words.hpp"
#include "process/signal_line.hpp"

#include <poll.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <exception>
#include <iostream>
#include <utility>

namespace depthlens {
namespace {

constexpr std::array<std::string_view, 5> words = {"pass", "warning", "fail", "crashed", "skipped"};

// The outcome as bytes for the parent: the number of the verdict, then the reason.
void tell(int to, const outcome& o) {
  const std::string bytes = static_cast<char>('0' + static_cast<int>(o.result)) + o.reason;
  for (std::size_t at = 0; at < bytes.size();) {
    const ssize_t n = ::write(to, bytes.data() + at, bytes.size() - at);
    if (n < 0 && errno != EINTR) return;
    at += n < 0 ? 0 : static_cast<std::size_t>(n);
  }
}

outcome run_here(const check& c, checked_plugin& plugin) {
  try {
    return c.run(plugin);
  } catch (const std::exception& e) {
    return failed(e.what());
  }
}

[[noreturn]] void be_child(const check& c, checked_plugin& plugin, int to, int printed) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  crash_without_words();
  const rlimit no_core{0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
  ::dup2(printed, STDOUT_FILENO);
  ::dup2(::open("/dev/null", O_WRONLY | O_CLOEXEC), STDERR_FILENO);
  const outcome o = run_here(c, plugin);
  std::fflush(stdout);
  tell(to, o);
  end_process(0);
}

// What can be read until the other end closes or the time is over; false = it is over.
bool read_until(int from, std::chrono::steady_clock::time_point end, std::string& out) {
  for (;;) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
    pollfd wanted{from, POLLIN, 0};
    const int ready = ::poll(&wanted, 1, static_cast<int>(std::max<std::int64_t>(left.count(), 0)));
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return false;
    char bytes[4096];
    const ssize_t n = ::read(from, bytes, sizeof bytes);
    if (n <= 0) return true;
    out.append(bytes, static_cast<std::size_t>(n));
  }
}

outcome outcome_of(const std::string& told, int status, bool in_time, const child_rules& rules) {
  if (!in_time)
    return {verdict::crashed, cat("it does not come back within ", rules.longest.count() / 1000, " s")};
  if (WIFSIGNALED(status)) return {verdict::crashed, ::strsignal(WTERMSIG(status))};
  if (told.empty())
    return {verdict::crashed, cat("it ends the process (exit code ", WEXITSTATUS(status), ")")};
  return {static_cast<verdict>(told[0] - '0'), told.substr(1)};
}

}  // namespace

std::string_view word_of(verdict v) { return words[static_cast<std::size_t>(v)]; }

outcome warned(std::string reason) { return {verdict::warning, std::move(reason)}; }
outcome failed(std::string reason) { return {verdict::fail, std::move(reason)}; }
outcome skipped(std::string reason) { return {verdict::skipped, std::move(reason)}; }

std::vector<check> all_checks() {
  std::vector<check> out;
  for (const auto& some :
       {library_checks(), description_checks(), backend_checks(), experiment_checks(), growth_checks()})
    out.insert(out.end(), some.begin(), some.end());
  return out;
}

outcome run_check(const check& c, checked_plugin& plugin, const child_rules& rules) {
  if (rules.in_process) return run_here(c, plugin);
  std::cout.flush();  // else the child would print it too
  std::fflush(stdout);
  int told[2], printed[2];
  if (::pipe2(told, O_CLOEXEC) != 0 || ::pipe2(printed, O_CLOEXEC) != 0)
    return skipped("no child process can be made");
  const pid_t pid = ::fork();
  if (pid == 0) be_child(c, plugin, told[1], printed[1]);
  ::close(told[1]);
  ::close(printed[1]);
  std::string said, words_on_stdout;
  bool in_time = pid > 0 && read_until(told[0], std::chrono::steady_clock::now() + rules.longest, said);
  int status = 0;
  if (pid > 0) {
    if (!in_time) ::kill(pid, SIGKILL);
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    read_until(printed[0], std::chrono::steady_clock::now(), words_on_stdout);
  }
  ::close(told[0]);
  ::close(printed[0]);
  if (pid < 0) return skipped("no child process can be made");
  outcome o = outcome_of(said, status, in_time, rules);
  if (o.result == verdict::pass && !words_on_stdout.empty())
    return warned(cat("it prints on stdout, where results of programs go: ", visible_line(words_on_stdout)));
  return o;
}

}  // namespace depthlens
