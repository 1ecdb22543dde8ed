// SPDX-License-Identifier: Apache-2.0
#include "child_process.hpp"

#include <depthlens/base/error.hpp>

#include <spawn.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <thread>

namespace depthlens {

namespace {

std::vector<char*> pointers_to(const std::vector<std::string>& words) {
  std::vector<char*> out;
  for (const std::string& word : words) out.push_back(const_cast<char*>(word.c_str()));
  out.push_back(nullptr);
  return out;
}

void give(posix_spawn_file_actions_t& actions, int to, int from) {
  if (from >= 0)
    posix_spawn_file_actions_adddup2(&actions, from, to);
  else
    posix_spawn_file_actions_addopen(&actions, to, "/dev/null", to == 0 ? O_RDONLY : O_WRONLY, 0);
}

}  // namespace

child_process::child_process(const command& what) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  give(actions, 0, what.files.in);
  give(actions, 1, what.files.out);
  give(actions, 2, what.files.err);
  if (!what.folder.empty()) posix_spawn_file_actions_addchdir_np(&actions, what.folder.c_str());
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none, defaults;
  sigemptyset(&none);
  sigemptyset(&defaults);
  for (const int number : {SIGPIPE, SIGXFSZ, SIGTERM, SIGINT, SIGUSR1}) sigaddset(&defaults, number);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &defaults);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes,
                           POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  std::vector<char*> words = pointers_to(what.words), environment = pointers_to(what.environment);
  error_ = posix_spawnp(&pid_, words[0], &actions, &attributes, words.data(), environment.data());
  if (error_ != 0) pid_ = -1;
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
}

bool child_process::has_ended() {
  const pid_t ended = ::waitpid(pid_, &state_, WNOHANG);
  if (ended == 0 || (ended < 0 && errno == EINTR)) return false;
  pid_ = -1;
  return true;
}

std::optional<int> child_process::wait(std::chrono::milliseconds time, const std::atomic<bool>& stop) {
  using clock = std::chrono::steady_clock;
  using std::chrono::milliseconds;
  constexpr milliseconds longest_nap{20}, longest_step{1000};  // longer ones: we were suspended
  milliseconds nap{1};
  clock::duration waited{};
  for (clock::time_point last = clock::now(); !has_ended();) {
    if (stop || waited >= time) {
      kill();
      return std::nullopt;
    }
    std::this_thread::sleep_for(nap);
    nap = std::min(2 * nap, longest_nap);
    const clock::time_point now = clock::now();
    waited += std::min<clock::duration>(now - last, longest_step);
    last = now;
  }
  return state_;
}

// One that the kernel does not let go, as where a network disk is away, is left behind.
void child_process::kill() {
  if (pid_ < 0) return;
  ::kill(-pid_, SIGKILL);
  for (int i = 0; i < 100 && !has_ended(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  pid_ = -1;
}

std::string ending_words(int state) {
  if (WIFEXITED(state)) return cat("ended with status ", WEXITSTATUS(state));
  return cat("ended by signal ", WTERMSIG(state), " (", ::strsignal(WTERMSIG(state)), ")");
}

}  // namespace depthlens
