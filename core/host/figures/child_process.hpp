// SPDX-License-Identifier: Apache-2.0
// A program that is started, waited for within a time, and never outlives its object: it runs in a process
// group of its own, which is killed as a whole. It inherits no signal mask and no open file but those given.
// Boost.Process 1.81 cannot take its place: it waits within a time by a handler of SIGCHLD for the whole
// process, while several figures are drawn at once, and leaves mask and ignored signals to the child.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace depthlens {

// What the child gets as 0, 1 and 2: -1 = /dev/null.
struct child_files {
  int in = -1, out = -1, err = -1;
};

// One thread.
class child_process {
 public:
  struct command {
    std::vector<std::string> words;        // the program, looked for in PATH, and its arguments
    std::vector<std::string> environment;  // NAME=VALUE
    std::string folder;                    // to run in; "" = here
    child_files files;
  };
  // error() says whether it could be started.
  explicit child_process(const command& what);
  ~child_process() { kill(); }
  child_process(const child_process&) = delete;
  child_process& operator=(const child_process&) = delete;

  int error() const noexcept { return error_; }  // 0, or the errno of the start

  // The state as waitpid() gives it; nothing where the time is over or `stop` is set: the child is dead then.
  // Time in which this process itself is suspended does not count.
  std::optional<int> wait(std::chrono::milliseconds time, const std::atomic<bool>& stop);

 private:
  bool has_ended();
  void kill();

  int error_ = 0, state_ = 0;
  pid_t pid_ = -1;  // -1: not running
};

// "ended by signal 11 (Segmentation fault)", "ended with status 3".
std::string ending_words(int state);

}  // namespace depthlens
