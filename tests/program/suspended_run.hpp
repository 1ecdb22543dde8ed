// SPDX-License-Identifier: Apache-2.0
// Runs that are interrupted: held between their beginning and their end, to be met there by signals or by
// other runs.
#pragma once

#include "program/demo.hpp"

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>

namespace depthlens::test {

// How many kills at moments drawn by chance a test makes: what is usual, or DEPTHLENS_KILLS=N.
inline int wanted_kills(int usual) {
  const char* const said = std::getenv("DEPTHLENS_KILLS");
  return said != nullptr ? std::atoi(said) : usual;
}

// Starts the command and suspends it once `begun` holds of its folder and before there are tables. On a busy
// machine this process may see a run only when it is over: such a run is made again, in a folder of its own.
class suspended_run {
 public:
  using folder_command = std::function<words(const std::filesystem::path& run)>;
  using folder_state = std::function<bool(const std::filesystem::path& run)>;

  suspended_run(const folder_command& command, const folder_state& begun) {
    for (int tries = 0; tries < 50 && !caught_; ++tries) catch_once(command, begun);
    if (!caught_)
      BOOST_FAIL(
          "each of 50 runs was over before it could be suspended; the last said: " << process_->wait().err);
  }

  std::filesystem::path folder() const { return folder_->path() / "run"; }
  pid_t pid() const { return process_->pid(); }
  // Sends the signal, lets the run go on, and waits for its end.
  outcome go_on_after(int number) {
    process_->send(number);
    process_->send(SIGCONT);
    return process_->wait();
  }

 private:
  void catch_once(const folder_command& command, const folder_state& begun) {
    folder_ = std::make_unique<scratch_folder>();
    process_ = std::make_unique<process>(words{program()} + command(folder()));
    const auto patience = std::chrono::steady_clock::now() + std::chrono::minutes(5);
    while (!begun(folder())) {
      if (process_->ends_within(std::chrono::milliseconds(1))) return;
      BOOST_REQUIRE_MESSAGE(std::chrono::steady_clock::now() < patience, "the run does not begin");
    }
    caught_ = process_->suspend() && tables_of(folder()).empty();
    if (!caught_) process_->send(SIGKILL);
  }

  std::unique_ptr<scratch_folder> folder_;
  std::unique_ptr<process> process_;
  bool caught_ = false;
};

inline bool has_bytes(const std::filesystem::path& file, std::uintmax_t more_than) {
  std::error_code absent;
  const auto size = std::filesystem::file_size(file, absent);
  return !absent && size > more_than;
}

}  // namespace depthlens::test
