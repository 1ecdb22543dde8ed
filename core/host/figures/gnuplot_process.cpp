// SPDX-License-Identifier: Apache-2.0
#include "gnuplot_process.hpp"

#include "gnuplot_text.hpp"

#include <depthlens/error.hpp>

#include <gnuplot-iostream.h>

#include <pthread.h>
#include <spawn.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <memory>
#include <string_view>
#include <vector>

extern char** environ;

namespace depthlens {

namespace {

// Writing to a gnuplot that has died must be an error of the write, not the end of the program.
class no_sigpipe {
 public:
  no_sigpipe() {
    sigemptyset(&pipe_);
    sigaddset(&pipe_, SIGPIPE);
    sigset_t pending;
    sigpending(&pending);
    was_pending_ = sigismember(&pending, SIGPIPE) == 1;
    pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
  }
  ~no_sigpipe() {
    const timespec now{};
    while (!was_pending_ && sigtimedwait(&pipe_, nullptr, &now) < 0 && errno == EINTR) {
    }
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  no_sigpipe(const no_sigpipe&) = delete;
  no_sigpipe& operator=(const no_sigpipe&) = delete;

 private:
  sigset_t pipe_, before_;
  bool was_pending_;
};

// The environment with LC_ALL=C, so that numbers have a point in every country.
class c_environment {
 public:
  c_environment() {
    for (char** entry = environ; entry && *entry; ++entry)
      if (!std::string_view(*entry).starts_with("LC_ALL=")) pointers_.push_back(*entry);
    pointers_.push_back(all_);
    pointers_.push_back(nullptr);
  }
  char** get() { return pointers_.data(); }

 private:
  char all_[9] = "LC_ALL=C";
  std::vector<char*> pointers_;
};

struct close_file {
  void operator()(std::FILE* file) const noexcept { std::fclose(file); }
};
using file_pointer = std::unique_ptr<std::FILE, close_file>;

// What the child gets as 0, 1 and 2. in < 0: nothing to read. err < 0: its messages are dropped.
struct child_files {
  int in = -1, err = -1;
};

// Starts gnuplot; the error number is 0 or says why not.
int spawn_gnuplot(const char* const* arguments, const char* folder, child_files files, pid_t& child) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  if (files.in >= 0)
    posix_spawn_file_actions_adddup2(&actions, files.in, 0);
  else
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  if (files.err >= 0)
    posix_spawn_file_actions_adddup2(&actions, files.err, 2);
  else
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
  if (folder) posix_spawn_file_actions_addchdir_np(&actions, folder);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none, defaults;
  sigemptyset(&none);
  sigemptyset(&defaults);
  sigaddset(&defaults, SIGPIPE);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &defaults);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  c_environment environment;
  const int code = posix_spawnp(&child, "gnuplot", &actions, &attributes, const_cast<char* const*>(arguments),
                                environment.get());
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  return code;
}

// Waits for the end; true for exit status 0.
bool ended_well(pid_t child) {
  int state = 0;
  while (waitpid(child, &state, 0) < 0)
    if (errno != EINTR) return false;
  return WIFEXITED(state) && WEXITSTATUS(state) == 0;
}

// gnuplot prints the command, a pointer to the place and then "line N: what is wrong"; the latter says most.
std::string message_in(std::FILE* file) {
  std::rewind(file);
  char bytes[8192];
  const std::string text(bytes, std::fread(bytes, 1, sizeof bytes, file));
  std::string first;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    std::string line = figure_line(std::string_view(text).substr(at, end - at), 200);
    line.erase(0, line.find_first_not_of(' '));
    if (line.starts_with("line ") && line.find("warning") == std::string::npos) return line;
    if (first.empty()) first = line;
    at = end + 1;
  }
  return first.empty() ? "no message" : first;
}

}  // namespace

bool gnuplot_available() {
  const char* const arguments[] = {"gnuplot", "--version", nullptr};
  pid_t child = 0;
  return spawn_gnuplot(arguments, nullptr, {}, child) == 0 && ended_well(child);
}

void run_gnuplot(const std::filesystem::path& folder, const std::string& script) {
  const file_pointer messages(std::tmpfile());
  int ends[2];
  if (!messages || pipe2(ends, O_CLOEXEC) != 0)
    fail(status::io, "cannot start gnuplot: ", std::strerror(errno));
  const char* const arguments[] = {"gnuplot", "-d", nullptr};
  pid_t child = 0;
  const int code = spawn_gnuplot(arguments, folder.c_str(), {ends[0], fileno(messages.get())}, child);
  close(ends[0]);
  if (code != 0) {
    close(ends[1]);
    std::error_code ignored;
    if (!std::filesystem::is_directory(folder, ignored))
      fail(status::io, folder.string(), ": cannot draw there: no such folder");
    fail(status::unavailable, "cannot start gnuplot: ", std::strerror(code),
         "; install gnuplot 5.4 or later (Debian: gnuplot-nox) and run depthlens plot");
  }
  {
    const no_sigpipe guard;
    std::FILE* const to = fdopen(ends[1], "w");
    if (!to) {
      close(ends[1]);
    } else {
      Gnuplot gnuplot(to);  // closes it
      gnuplot.write(script.data(), static_cast<std::streamsize>(script.size()));
    }
  }
  if (!ended_well(child)) fail(status::io, "gnuplot failed: ", message_in(messages.get()));
}

}  // namespace depthlens
