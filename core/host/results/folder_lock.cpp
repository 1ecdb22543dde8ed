// SPDX-License-Identifier: Apache-2.0
#include "results/folder_lock.hpp"

#include "depthlens/base/error.hpp"
#include "depthlens/base/text.hpp"
#include "process/blocked_signals.hpp"
#include "process/stop_signal.hpp"
#include "results/lock_holder.hpp"
#include "terminal/log.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <string_view>
#include <utility>

namespace depthlens {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

// Goes on while the process or the machine is suspended.
std::int64_t now() {
  timespec t{};
  ::clock_gettime(CLOCK_BOOTTIME, &t);
  return t.tv_sec * std::int64_t{1000} + t.tv_nsec / 1'000'000;
}

std::string in_seconds(milliseconds t) { return cat((std::max<std::int64_t>(t.count(), 0) + 999) / 1000); }

// Lets one process of this machine at a time look at a lock and take it, so that of two that find a stale one
// only one takes it over. A turn lasts microseconds, but its holder may have been suspended within it: nobody
// waits longer than a moment. Where the file system has no such locks, nothing is lost but the order.
class turn {
 public:
  explicit turn(const fs::path& folder) : fd_(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
    constexpr milliseconds step{5}, most{1000};
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

std::string name_of(const lock_holder& h) {
  return cat("process ", h.pid, " on ", visible_line(h.host.substr(0, 100)),
             h.is_of_this_machine() && !h.is_in_sight() ? ", in another container (PID namespace)" : "");
}

[[noreturn]] void fail_in_use(const fs::path& lock, const lock_holder& h, const lock_timing& timing) {
  const std::string folder = lock.parent_path().parent_path().string();
  if (h.host.empty())
    fail(status::config, folder, ": another process is taking it and has come to a stop within ",
         lock.string(), "; let that process go on or end it");
  if (h.is_in_sight())
    fail(status::config, folder, ": in use by ", name_of(h), "; if that process is gone, delete ",
         lock.string());
  const std::optional<milliseconds> age = age_of(lock);
  fail(status::config, folder, ": in use by ", name_of(h),
       age ? cat(", which renewed the lock ", in_seconds(std::max(*age, milliseconds(0))),
                 " s ago; without that it is taken over in ", in_seconds(timing.lease - *age), " s")
           : std::string(),
       "; if that process is gone, wait or delete ", lock.string());
}

// One that lives renews its lock. Where the time of the lock does not tell: the same Slurm job may have a
// living process on another of its machines; the clock of the file system may have been set back.
bool is_renewed_meanwhile(const fs::path& lock, const lock_timing& timing, std::string_view what) {
  const std::optional<timespec> before = time_of(lock);
  const milliseconds watched = timing.renewal * 5 / 2;
  log_info(
      cat(lock.string(), ": ", what, "; watching for ", in_seconds(watched), " s whether its process lives"));
  std::this_thread::sleep_for(watched);
  const std::optional<timespec> after = time_of(lock);
  return before && after && (before->tv_sec != after->tv_sec || before->tv_nsec != after->tv_nsec);
}

bool is_gone(const fs::path& lock, const lock_holder& h, const lock_timing& timing) {
  if (h.host.empty()) return true;  // killed before it had written its name
  if (h.is_in_sight()) return !h.lives();
  const std::optional<milliseconds> age = age_of(lock);
  if (age && *age > timing.lease) return true;
  if (age && *age < -timing.lease) return !is_renewed_meanwhile(lock, timing, "is of a time to come");
  const slurm_job job = slurm_job::own();
  if (job.id.empty() || h.job.id != job.id) return false;
  return h.job.restarts < job.restarts || !is_renewed_meanwhile(lock, timing, "is of this Slurm job");
}

// Waits where that is asked for and the holder is silent; false where it is not to wait, or where the holder
// has renewed the lock meanwhile.
bool outlasts(const fs::path& lock, const lock_holder& h, const lock_timing& timing) {
  std::optional<milliseconds> age = age_of(lock);
  if (!timing.awaited_silence || !age || *age < *timing.awaited_silence || h.is_in_sight()) return false;
  log_warning(cat(lock.string(), ": ", name_of(h), " has not been heard of for ", in_seconds(*age),
                  " s; waiting ", in_seconds(timing.lease - *age),
                  " s more before its folder is taken over"));
  while (*age <= timing.lease) {
    if (stop_asked()) fail(status::stopped, lock.string(), ": stopped while waiting for it");
    std::this_thread::sleep_for(std::min(timing.renewal, milliseconds(500)));
    const std::optional<milliseconds> before = std::exchange(age, age_of(lock));
    if (!age) return true;  // released
    if (*age < *before) return false;
  }
  return true;
}

}  // namespace

folder_lock::folder_lock(fs::path file, const lock_timing& timing)
    : file_(std::move(file)), timing_(timing), mine_(lock_text()) {
  take();
  renewed_ = now();
  const blocked_signals blocked;  // the thread inherits that
  keeper_ = std::thread([this] { renew_until_end(); });
}

folder_lock::~folder_lock() {
  {
    const std::lock_guard lock(guard_);
    ending_ = true;
  }
  end_.notify_all();
  keeper_.join();
  release();
}

// Where the folder was moved away by hand, another process may hold one of the same name.
void folder_lock::release() {
  std::error_code ignored;
  if (read_lock(file_) == mine_) fs::remove(file_, ignored);
}

void folder_lock::take() {
  const turn t(file_.parent_path());
  if (!t.mine()) fail_in_use(file_, holder_of(read_lock(file_).value_or("")), timing_);
  for (int attempt = 0; attempt < 3; ++attempt) {
    const int fd = ::open(file_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd >= 0) return write_mine(fd);
    if (errno != EEXIST)
      fail(status::cannot_create, file_.string(), ": cannot create: ", std::strerror(errno));
    if (take_over()) return;
  }
  fail(status::config, file_.string(), ": another process keeps taking this folder");
}

// True where that made it this one's; false where nobody has it now.
bool folder_lock::take_over() {
  const std::string text = read_lock(file_).value_or("");
  const lock_holder h = holder_of(text);
  if ((!is_gone(file_, h, timing_) && !outlasts(file_, h, timing_)) ||
      read_lock(file_).value_or(text) != text)
    fail_in_use(file_, h, timing_);
  const bool out_of_sight = !h.host.empty() && !h.is_in_sight();
  std::error_code code;
  fs::remove(file_, code);
  if (code && code != std::errc::no_such_file_or_directory)
    fail(status::cannot_create, file_.string(), ": cannot be taken over: ", code.message());
  if (!out_of_sight) return false;
  const int fd = ::open(file_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (fd < 0) return false;
  write_mine(fd);
  // Another machine may have found the same stale lock and removed this one in its place.
  std::this_thread::sleep_for(timing_.settling);
  if (const std::string there = read_lock(file_).value_or(""); there != mine_)
    fail_in_use(file_, holder_of(there), timing_);
  log_warning(cat(file_.string(), ": was left by ", name_of(h), " and is taken over"));
  return true;
}

void folder_lock::write_mine(int fd) {
  std::string_view rest = mine_;
  int reason = 0;
  while (!rest.empty() && reason == 0) {
    const ssize_t n = ::write(fd, rest.data(), rest.size());
    if (n < 0 && errno != EINTR) reason = errno;
    if (n > 0) rest.remove_prefix(static_cast<std::size_t>(n));
  }
  ::close(fd);
  if (reason == 0) return;
  std::error_code ignored;
  fs::remove(file_, ignored);
  fail(status::io, file_.string(), ": cannot write: ", std::strerror(reason));
}

// A file system that cannot answer for a while has not given the lock to another.
void folder_lock::renew() {
  const int fd = ::open(file_.c_str(), O_RDWR | O_CLOEXEC);
  if (fd < 0) {
    if (errno == ENOENT || errno == ENOTDIR) lost_ = true;
    return;
  }
  std::string text(mine_.size() + 1, '\0');
  const ssize_t n = ::pread(fd, text.data(), text.size(), 0);
  if (n >= 0 && std::string_view(text).substr(0, static_cast<std::size_t>(n)) != mine_)
    lost_ = true;
  else if (n >= 0 && ::futimens(fd, nullptr) == 0)  // by the file system's clock
    renewed_ = now();
  ::close(fd);
}

void folder_lock::renew_until_end() {
  std::unique_lock lock(guard_);
  while (!end_.wait_for(lock, timing_.renewal, [this] { return ending_; })) {
    renew();
    if (lost_) return;
  }
}

void folder_lock::check() {
  if (lost_ || now() - renewed_ > timing_.lease.count() / 2) check_now();
}

void folder_lock::check_now() {
  if (!lost_) renew();
  if (!lost_) return;
  const lock_holder h = holder_of(read_lock(file_).value_or(""));
  fail(status::config, file_.parent_path().parent_path().string(),
       ": is no longer this process's: ", file_.string(),
       h.host.empty() ? " was removed" : cat(" is now of ", name_of(h)), "; nothing more is written here");
}

}  // namespace depthlens
