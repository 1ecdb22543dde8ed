// SPDX-License-Identifier: Apache-2.0
#include "results/run_folder.hpp"

#include "depthlens/error.hpp"
#include "depthlens/io_error.hpp"
#include "results/folder_owner.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <fstream>
#include <optional>
#include <thread>
#include <vector>

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

struct lock_holder {
  std::string host;
  long pid = 0;
  std::string started;
};

bool lives(const lock_holder& h) {
  return h.pid > 0 && (::kill(static_cast<pid_t>(h.pid), 0) == 0 || errno == EPERM) &&
         start_time(h.pid) == h.started;
}

// Lets one process of this machine at a time look at a lock and take it, so that of two that find a stale one
// only one takes it over. A turn lasts microseconds, but its holder may have been suspended within it: nobody
// waits longer than a moment. Where the file system has no such locks, nothing is lost but the order.
class turn {
 public:
  explicit turn(const fs::path& folder) : fd_(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
    constexpr std::chrono::milliseconds step{5}, most{1000};
    for (auto waited = step; fd_ >= 0 && waited <= most; waited += step) {
      if (::flock(fd_, LOCK_EX | LOCK_NB) == 0 || (errno != EWOULDBLOCK && errno != EINTR)) return;
      std::this_thread::sleep_for(step);
    }
    mine_ = fd_ < 0;
  }
  ~turn() {
    if (fd_ >= 0) ::close(fd_);
  }
  turn(const turn&) = delete;
  // False where another process has kept its turn all the time.
  bool mine() const { return mine_; }

 private:
  int fd_;
  bool mine_ = true;
};

[[noreturn]] void fail_in_use(const fs::path& lock, const lock_holder& h) {
  const std::string folder = lock.parent_path().parent_path().string();
  if (h.host.empty())
    fail(status::config, folder, ": another process is taking it and has come to a stop within ",
         lock.string(), "; let that process go on or end it");
  fail(status::config, folder, ": in use by process ", h.pid, " on ", h.host,
       "; if that process is gone, delete ", lock.string());
}

lock_holder read_holder(const fs::path& lock) {
  lock_holder h;
  std::ifstream(lock) >> h.host >> h.pid >> h.started;
  return h;
}

void write_holder(int fd, const fs::path& lock) {
  const std::string text = cat(host_name(), ' ', ::getpid(), ' ', start_time(::getpid()), '\n');
  const bool written = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  const int number = errno;
  ::close(fd);
  if (!written) fail_errno(number, file_use::write, lock.string(), ": cannot write");
}

void take_lock(const fs::path& file) {
  const turn t(file.parent_path());
  if (!t.mine()) fail_in_use(file, read_holder(file));
  for (int attempt = 0; attempt < 3; ++attempt) {
    const int fd = ::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd >= 0) return write_holder(fd, file);
    if (errno != EEXIST) fail_errno(errno, file_use::create, file.string(), ": cannot create");
    const lock_holder h = read_holder(file);
    // An empty lock is that of a process which was killed before it had written its name.
    if (!h.host.empty() && (h.host != host_name() || lives(h))) fail_in_use(file, h);
    fs::remove(file);
  }
  fail(status::config, file.string(), ": another process keeps taking this folder");
}

// What a killed process was writing (table/atomic_file.hpp); nobody else writes here while the lock is held.
void remove_unfinished(const fs::path& folder) {
  std::vector<fs::path> left;
  for (const auto& item : fs::directory_iterator(folder)) {
    const std::string name = item.path().filename().string();
    if (name.starts_with('.') && name.find(".tmp-") != std::string::npos) left.push_back(item.path());
  }
  std::error_code ignored;
  for (const fs::path& p : left) fs::remove(p, ignored);
}

fs::path rename_to_free_name(const fs::path& folder) {
  for (int n = 1;; ++n) {
    const fs::path to = folder.string() + ".old-" + std::to_string(n);
    if (fs::exists(to)) continue;
    std::error_code code;
    fs::rename(folder, to, code);
    if (code) fail_errno(code.value(), file_use::create, folder.string(), ": cannot be moved aside");
    fs::remove(to / "log" / "lock", code);
    return to;
  }
}

}  // namespace

void make_folder(const fs::path& p) {
  std::error_code code;
  fs::create_directories(p, code);
  if (code) fail_errno(code.value(), file_use::create, p.string(), ": cannot create the folder");
  if (!fs::is_directory(p, code)) fail(status::cannot_create, p.string(), ": is not a folder");
  if (::access(p.c_str(), W_OK | X_OK) != 0)
    fail_errno(errno, file_use::create, p.string(), ": cannot write to the folder");
}

run_folder::run_folder(const fs::path& root) {
  make_folder(root);
  root_ = fs::canonical(root);
  for (const char* part : {"data", "plots", "log"}) make_folder(root_ / part);
  take_lock(root_ / "log" / "lock");
  for (const fs::path& p : {root_, root_ / "data", root_ / "plots"}) remove_unfinished(p);
}

// Where the folder was moved away by hand, another process may hold one of the same name.
run_folder::~run_folder() {
  const fs::path lock = root_ / "log" / "lock";
  const lock_holder h = read_holder(lock);
  std::error_code ignored;
  if (h.host == host_name() && h.pid == ::getpid()) fs::remove(lock, ignored);
}

fs::path run_folder::log(const std::string& study, const std::string& lens) const {
  return root_ / "log" / (study + "." + lens + ".log");
}

fs::path move_aside(const fs::path& root) {
  if (!fs::exists(root)) return {};
  if (!fs::is_directory(root)) fail(status::cannot_create, root.string(), ": is not a folder");
  refuse_foreign_folder(root, "is not moved aside");
  std::optional<run_folder> held;
  if (fs::is_directory(root / "log")) held.emplace(root);  // not away from a run that goes on
  return rename_to_free_name(fs::canonical(root));
}

}  // namespace depthlens
