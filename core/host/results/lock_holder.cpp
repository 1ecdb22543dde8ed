// SPDX-License-Identifier: Apache-2.0
#include "results/lock_holder.hpp"

#include "depthlens/base/error.hpp"
#include "results/beginning_of.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <fstream>
#include <sstream>

namespace depthlens {
namespace {

namespace fs = std::filesystem;

std::string host_name() {
  char name[256] = {};
  ::gethostname(name, sizeof name - 1);
  return name;
}

// When the process started, in clock ticks since boot: tells a living holder from another process with its
// number. Of one that has ended and that its parent has not asked for yet: "".
std::string start_time(long pid) {
  std::ifstream in(cat("/proc/", pid, "/stat"));
  std::string line;
  std::getline(in, line);
  const auto name_end = line.rfind(')');
  if (name_end == std::string::npos) return "";
  std::istringstream rest(line.substr(name_end + 1));
  std::string field;
  rest >> field;  // number 3 of proc(5), the state
  if (field == "Z" || field == "X") return "";
  for (int i = 3; i < 22; ++i) rest >> field;
  return field;
}

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::uint64_t number_in(std::string_view text) {
  std::uint64_t n = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), n);
  return code == std::errc() && end == text.data() + text.size() ? n : 0;
}

constexpr std::string_view slurm_mark = "slurm=", boot_mark = "boot=", pids_mark = "pids=";

// Of this machine; "" = not known.
const std::string& boot_id() {
  static const std::string id = [] {
    std::ifstream in("/proc/sys/kernel/random/boot_id");
    std::string text;
    in >> text;
    return text;
  }();
  return id;
}

// Of this process; "" = not known.
const std::string& pid_namespace() {
  static const std::string id = [] {
    struct stat info {};
    return ::stat("/proc/self/ns/pid", &info) == 0 ? cat(info.st_ino) : std::string();
  }();
  return id;
}

}  // namespace

slurm_job slurm_job::own() {
  slurm_job job{variable("SLURM_JOB_ID"), number_in(variable("SLURM_RESTART_COUNT"))};
  if (job.id.find_first_not_of("0123456789") != std::string::npos) job.id.clear();
  return job;
}

bool lock_holder::is_of_this_machine() const {
  return host == host_name() && (boot.empty() || boot == boot_id()) &&
         (pids.empty() || pids == pid_namespace());
}

bool lock_holder::lives() const {
  return pid > 0 && (::kill(static_cast<pid_t>(pid), 0) == 0 || errno == EPERM) && start_time(pid) == started;
}

lock_holder holder_of(std::string_view text) {
  lock_holder h;
  std::istringstream in{std::string(text)};
  in >> h.host >> h.pid >> h.started;
  for (std::string word; in >> word;) {
    if (word.starts_with(boot_mark)) h.boot = word.substr(boot_mark.size());
    if (word.starts_with(pids_mark)) h.pids = word.substr(pids_mark.size());
    if (!word.starts_with(slurm_mark)) continue;
    const std::string_view job = std::string_view(word).substr(slurm_mark.size());
    const auto dot = job.find('.');
    h.job.id = job.substr(0, dot);
    h.job.restarts = dot == std::string_view::npos ? 0 : number_in(job.substr(dot + 1));
  }
  return h;
}

std::string lock_text() {
  const slurm_job job = slurm_job::own();
  return cat(host_name(), ' ', ::getpid(), ' ', start_time(::getpid()),
             boot_id().empty() ? "" : cat(' ', boot_mark, boot_id()),
             pid_namespace().empty() ? "" : cat(' ', pids_mark, pid_namespace()),
             job.id.empty() ? "" : cat(' ', slurm_mark, job.id, '.', job.restarts), '\n');
}

std::optional<std::string> read_lock(const fs::path& lock) { return beginning_of(lock); }

// Opened each time: a network file system asks its server then.
std::optional<timespec> time_of(const fs::path& lock) {
  const int fd = ::open(lock.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return std::nullopt;
  struct stat info {};
  const bool known = ::fstat(fd, &info) == 0;
  ::close(fd);
  return known ? std::optional(info.st_mtim) : std::nullopt;
}

std::optional<std::chrono::milliseconds> age_of(const fs::path& lock) {
  const fs::path clock = lock.parent_path() / cat(".clock.tmp-", ::getpid());
  ::unlink(clock.c_str());
  const int fd = ::open(clock.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
  if (fd < 0) return std::nullopt;
  struct stat now {};
  const bool known = ::write(fd, "\n", 1) == 1 && ::futimens(fd, nullptr) == 0 && ::fstat(fd, &now) == 0;
  ::close(fd);
  ::unlink(clock.c_str());
  const std::optional<timespec> then = time_of(lock);
  if (!known || !then) return std::nullopt;
  return std::chrono::milliseconds((now.st_mtim.tv_sec - then->tv_sec) * 1000 +
                                   (now.st_mtim.tv_nsec - then->tv_nsec) / 1'000'000);
}

}  // namespace depthlens
