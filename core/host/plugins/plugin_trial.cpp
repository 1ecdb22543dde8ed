// SPDX-License-Identifier: Apache-2.0
#include "plugins/plugin_trial.hpp"

#include "depthlens/abi/backend.h"
#include "depthlens/base/abi_error.hpp"
#include "depthlens/base/json_members.hpp"
#include "depthlens/base/text.hpp"
#include "process/last_words.hpp"
#include "process/signal_line.hpp"
#include "terminal/log.hpp"

#include <boost/json.hpp>
#include <poll.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <optional>
#include <string>
#include <utility>

namespace depthlens {
namespace {

namespace json = boost::json;

// "" = it can run here.
std::string probe_problem(const dlens_plugin& plugin) {
  const void* found = plugin.get_interface ? plugin.get_interface(DLENS_BACKEND_INTERFACE) : nullptr;
  if (found == nullptr) return "it does not offer " DLENS_BACKEND_INTERFACE;
  const auto* table = static_cast<const dlens_backend*>(found);
  if (!DLENS_HAS(dlens_backend, table, model_create)) return "its backend table is too small";
  dlens_error reason{};
  reason.size = sizeof reason;
  if (table->probe(&reason) != 0) return "";
  reason.message[sizeof reason.message - 1] = '\0';
  return reason.message[0] != '\0' ? reason.message : "no reason was given";
}

// ---- in the child -----------------------------------------------------------------------------------------

void tell(int to, const json::object& what) {
  const std::string line = json::serialize(what) + '\n';
  for (std::size_t at = 0; at < line.size();) {
    const ssize_t n = ::write(to, line.data() + at, line.size() - at);
    if (n < 0 && errno != EINTR) return;
    at += n < 0 ? 0 : static_cast<std::size_t>(n);
  }
}

void try_one(plugin_verdict& v, int to) {
  const dlens_plugin* plugin = load_plugin(v);
  tell(to, {{"ok", v.ok},
            {"reason", visible_line(v.reason)},
            {"version", visible_line(v.version)},
            {"summary", visible_line(v.summary)},
            {"build", visible_line(v.build)},
            {"major", v.abi_major},
            {"minor", v.abi_minor}});
  if (v.kind != "backend") return;
  ::setenv("DEPTHLENS_LISTING", "1", 1);  // abi/backend.h
  tell(to, {{"cannot_run", plugin == nullptr ? "" : visible_line(probe_problem(*plugin))}});
}

[[noreturn]] void be_child(const std::vector<plugin_verdict*>& plugins, std::size_t first, int to,
                           const trial_rules& rules) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  crash_without_words();
  const rlimit no_core{0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
  // stdout is for results.
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  ::dup2(rules.silent ? null : STDERR_FILENO, STDOUT_FILENO);
  if (rules.silent) ::dup2(null, STDERR_FILENO);
  try {
    for (std::size_t i = first; i < plugins.size(); ++i)
      if (plugins[i]->ok) try_one(*plugins[i], to);
  } catch (...) {
  }
  end_process(0);
}

// ---- in the parent ----------------------------------------------------------------------------------------

std::string end_of(int status) {
  if (WIFEXITED(status)) return cat("ends the program (exit code ", WEXITSTATUS(status), ")");
  return cat("crashes (", ::strsignal(WTERMSIG(status)), ")");
}

// A child and what it says.
class trial {
 public:
  // Null where there can be no child.
  static std::optional<trial> begin(const std::vector<plugin_verdict*>& plugins, std::size_t first,
                                    const trial_rules& rules) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return std::nullopt;
    const pid_t pid = ::fork();
    if (pid == 0) {
      ::close(ends[0]);
      be_child(plugins, first, ends[1], rules);
    }
    ::close(ends[1]);
    if (pid > 0) return trial(pid, ends[0]);
    ::close(ends[0]);
    return std::nullopt;
  }
  trial(trial&& other) noexcept
      : pid_(std::exchange(other.pid_, -1)), from_(std::exchange(other.from_, -1)) {}
  ~trial() {
    if (from_ >= 0) ::close(from_);
    if (pid_ > 0) wait(SIGKILL);
  }

  // What it says next; null where it ends or says nothing within `time`: then `end` tells what became of it.
  std::optional<json::object> next(std::chrono::milliseconds time, std::string& end) {
    const auto until = std::chrono::steady_clock::now() + time;
    for (std::size_t line = 0; (line = heard_.find('\n')) == std::string::npos;) {
      const auto left =
          std::chrono::duration_cast<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
      pollfd wanted{from_, POLLIN, 0};
      const int ready = ::poll(&wanted, 1, static_cast<int>(std::max<std::int64_t>(left.count(), 0)));
      if (ready < 0 && errno == EINTR) continue;
      char bytes[4096];
      const ssize_t n = ready > 0 ? ::read(from_, bytes, sizeof bytes) : 0;
      if (n > 0) {
        heard_.append(bytes, static_cast<std::size_t>(n));
        continue;
      }
      end =
          ready > 0 ? end_of(wait_a_little()) : cat("does not come back within ", time.count() / 1000, " s");
      return std::nullopt;
    }
    const std::size_t size = heard_.find('\n');
    const std::string text = heard_.substr(0, size);
    heard_.erase(0, size + 1);
    boost::system::error_code code;
    const json::value said = json::parse(text, code);
    if (!code && said.is_object()) return said.as_object();
    end = "garbles what the program says to itself";
    return std::nullopt;
  }

 private:
  trial(pid_t pid, int from) : pid_(pid), from_(from) {}
  int wait(int signal) {
    if (signal != 0) ::kill(pid_, signal);
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
    return status;
  }

  // One that has closed the pipe and goes on is ended.
  int wait_a_little() {
    constexpr int steps = 100;
    for (int i = 0; i < steps; ++i) {
      int status = 0;
      if (::waitpid(pid_, &status, WNOHANG) == pid_) {
        pid_ = -1;
        return status;
      }
      ::usleep(10'000);
    }
    return wait(SIGKILL);
  }

  pid_t pid_;
  int from_;
  std::string heard_;
};

void refuse(plugin_verdict& v, const std::string& reason) {
  v.ok = false;
  v.reason = reason;
}

// False where the child has ended.
bool hear_of(plugin_verdict& v, trial& child, const trial_rules& rules) {
  std::string end;
  const std::optional<json::object> said = child.next(rules.loading, end);
  if (!said) {
    refuse(v, end + " while it is loaded");
    return false;
  }
  v.version = text_at(&*said, "version").value_or("");
  v.summary = text_at(&*said, "summary").value_or("");
  v.build = text_at(&*said, "build").value_or("");
  v.abi_major = number_at<int>(&*said, "major").value_or(-1);
  v.abi_minor = number_at<int>(&*said, "minor").value_or(-1);
  const json::value* ok = said->if_contains("ok");
  if (ok == nullptr || !ok->is_bool() || !ok->get_bool()) refuse(v, text_at(&*said, "reason").value_or(""));
  if (v.kind != "backend") return true;
  const std::optional<json::object> probed = child.next(rules.probing, end);
  if (!probed) {
    refuse(v, end + " when it is asked whether it can run here");
    return false;
  }
  v.cannot_run = text_at(&*probed, "cannot_run").value_or("");
  return true;
}

}  // namespace

void try_plugins(const std::vector<plugin_verdict*>& plugins, const trial_rules& rules) {
  for (std::size_t i = 0; i < plugins.size();) {
    if (!plugins[i]->ok) {
      ++i;
      continue;
    }
    std::optional<trial> child = trial::begin(plugins, i, rules);
    if (!child) {
      log_warning(cat("plugins are not tried before they are loaded: no further process can be made (",
                      std::strerror(errno), ")"));
      return;
    }
    for (bool lives = true; lives && i < plugins.size(); ++i)
      if (plugins[i]->ok) lives = hear_of(*plugins[i], *child, rules);
  }
}

}  // namespace depthlens
