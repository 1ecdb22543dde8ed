// SPDX-License-Identifier: Apache-2.0
// Runs programs as a user does and keeps what they said: exit code, stdout, stderr. Nothing is inherited but
// the environment, stdin is empty, and a program that hangs is ended and said to have hung.
#pragma once

#include "depthlens/base/error.hpp"
#include "support/data_files.hpp"

#include <boost/test/unit_test.hpp>

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace depthlens::test {

using words = std::vector<std::string>;

inline words operator+(words a, const words& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

struct outcome {
  int code = -1;  // exit code; 128 + number where a signal ended it
  std::string out, err;
};

struct surroundings {
  std::map<std::string, std::string> environment;  // added or replaced
  std::filesystem::path folder;                    // to run in; "" = here
  std::chrono::seconds patience{300};
};

// A program that runs until it is waited for; killed when the object ends before.
class process {
 public:
  process(const words& command, const surroundings& s = {}) : patience_(s.patience) {
    std::vector<char*> arguments;
    for (const std::string& w : command) arguments.push_back(const_cast<char*>(w.c_str()));
    arguments.push_back(nullptr);
    for (const char* name : {"out", "err"})
      std::ofstream(scratch_.path() / name);  // it may be killed before it writes
    pid_ = ::fork();
    BOOST_REQUIRE(pid_ >= 0);
    if (pid_ == 0) become(arguments, s);
  }
  ~process() {
    if (pid_ > 0) finish(SIGKILL);
  }
  process(const process&) = delete;
  process& operator=(const process&) = delete;

  pid_t pid() const { return pid_; }
  // Nothing where the program was seen to end: its number may be another's by now.
  void send(int number) const {
    if (!code_) ::kill(pid_, number);
  }
  // False where the program ended instead.
  bool suspend() {
    if (code_) return false;
    send(SIGSTOP);
    int status = 0;
    BOOST_REQUIRE(::waitpid(pid_, &status, WUNTRACED) == pid_);
    if (WIFSTOPPED(status)) return true;
    code_ = code_of(status);
    return false;
  }
  // Waits up to `time`; true if the program has ended by then.
  bool ends_within(std::chrono::milliseconds time) {
    const auto until = std::chrono::steady_clock::now() + time;
    while (!code_) {
      int status = 0;
      const pid_t ended = ::waitpid(pid_, &status, WNOHANG);
      if (ended == pid_)
        code_ = code_of(status);
      else if (std::chrono::steady_clock::now() >= until)
        return false;
      else
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    return true;
  }
  outcome wait() {
    if (!ends_within(patience_)) {
      finish(SIGKILL);
      BOOST_ERROR("a program did not end within " << patience_.count() << " s");
    }
    pid_ = -1;
    return {*code_, read_bytes(scratch_.path() / "out"), read_bytes(scratch_.path() / "err")};
  }

 private:
  static int code_of(int status) { return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status); }
  [[noreturn]] void become(std::vector<char*>& arguments, const surroundings& s) const {
    const auto redirect = [](int to, const std::string& file, int flags) {
      const int fd = ::open(file.c_str(), flags, 0600);
      if (fd < 0 || ::dup2(fd, to) < 0) ::_exit(126);
    };
    redirect(0, "/dev/null", O_RDONLY);
    redirect(1, (scratch_.path() / "out").string(), O_WRONLY | O_CREAT | O_TRUNC);
    redirect(2, (scratch_.path() / "err").string(), O_WRONLY | O_CREAT | O_TRUNC);
    for (const auto& [name, value] : s.environment) ::setenv(name.c_str(), value.c_str(), 1);
    if (!s.folder.empty() && ::chdir(s.folder.c_str()) != 0) ::_exit(126);
    ::execvp(arguments[0], arguments.data());
    ::_exit(127);
  }
  void finish(int number) {
    if (code_) return;
    ::kill(pid_, number);
    int status = 0;
    ::waitpid(pid_, &status, 0);
    code_ = 128 + number;
  }

  scratch_folder scratch_;
  std::chrono::seconds patience_;
  pid_t pid_ = -1;
  std::optional<int> code_;
};

inline outcome run(const words& command, const surroundings& s = {}) { return process(command, s).wait(); }

inline std::filesystem::path path_of_variable(const char* name, const std::string& what) {
  const char* value = std::getenv(name);
  BOOST_REQUIRE_MESSAGE(value != nullptr && *value != '\0', name << " must name " << what);
  return value;
}
inline std::string program() { return path_of_variable("DEPTHLENS_PROGRAM", "the built program").string(); }
inline std::filesystem::path source_tree() { return path_of_variable("DEPTHLENS_SOURCE", "the source tree"); }

inline outcome depthlens_says(const words& arguments, const surroundings& s = {}) {
  return run(words{program()} + arguments, s);
}

// The program must succeed; what it said is shown where it does not.
inline outcome must_work(const words& arguments, const surroundings& s = {}) {
  outcome o = depthlens_says(arguments, s);
  std::string line;
  for (const std::string& a : arguments) line += " " + a;
  BOOST_REQUIRE_MESSAGE(o.code == 0, "depthlens" << line << "\nended with " << o.code << ": " << o.err);
  return o;
}

inline words lines_of(const std::string& text) {
  words out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    out.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return out;
}

// The program fails with this code and says why in exactly one line, which has every one of the parts.
template <class... Parts>
void check_refused(const words& arguments, status expected, const Parts&... parts) {
  const outcome o = depthlens_says(arguments);
  std::string shown;
  for (const std::string& a : arguments) shown += " " + a;
  BOOST_TEST_CONTEXT("depthlens" << shown) {
    BOOST_TEST(o.code == static_cast<int>(expected));
    constexpr std::string_view mark = "depthlens: error: ";
    words errors;
    for (const std::string& line : lines_of(o.err))
      if (line.starts_with(mark)) errors.push_back(line);
    BOOST_TEST(errors.size() == 1U, "stderr: " << o.err);
    if (errors.size() != 1) return;
    BOOST_TEST(o.err.ends_with(errors[0] + "\n"), "the error is not the last line: " << o.err);
    for (const std::string_view part : {std::string_view(parts)...})
      BOOST_TEST((errors[0].find(part) != std::string::npos), "\"" << part << "\" is not in: " << errors[0]);
  }
}

}  // namespace depthlens::test
