// SPDX-License-Identifier: Apache-2.0
// The lock of an output folder: log/lock names the process that may write there, and that process renews it
// as long as it lives. A lock of this machine and PID namespace is that of a living process or of none; one
// of another machine or container counts as long as it is renewed. What may be written meanwhile is up to the
// holder, who asks `check`.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

namespace depthlens {

struct lock_timing {
  std::chrono::milliseconds renewal{5'000};  // the holder renews it so often
  std::chrono::milliseconds lease{600'000};  // without that for so long, it is nobody's
  std::chrono::milliseconds settling{
      1'000};  // of two machines that take one at the same time, one has it then
  // Whether to wait for the lease of a holder on another machine that was silent for this long already;
  // nothing = to refuse at once. A stop that is asked for ends that.
  std::optional<std::chrono::milliseconds> awaited_silence = {};
};

class folder_lock {
 public:
  // Takes the lock, from a holder that is gone too: a process in sight that no longer lives; one of another
  // machine or container whose lock was not renewed for the lease, by the clock of the file system; or one of
  // the same Slurm job, at once where the job was restarted since, else after watching whether it is renewed.
  // Otherwise throws status::config and names the holder; status::stopped where it was waiting for one. The
  // folder of `file` exists.
  explicit folder_lock(std::filesystem::path file, const lock_timing& timing = {});
  ~folder_lock();  // releases it
  folder_lock(const folder_lock&) = delete;

  // Throws status::config where another process has the lock by now, as it may where this one was suspended
  // for longer than the lease. Looks at the file only where it was not renewed for half of that. [any thread]
  void check();
  void check_now();  // looks at the file each time. [any thread]
  // False once it was seen to be another's, within a renewal of that. [any thread]
  bool held() const noexcept { return !lost_; }
  // Removes the lock where it is still this one, for a program that ends without destructors. [any thread]
  void release();

 private:
  void take();
  bool take_over();
  void write_mine(int fd);
  void renew();
  void renew_until_end();

  const std::filesystem::path file_;
  const lock_timing timing_;
  std::string mine_;  // what this process writes into it
  std::atomic<bool> lost_{false};
  std::atomic<std::int64_t> renewed_{0};  // milliseconds since boot
  std::mutex guard_;
  std::condition_variable end_;
  bool ending_ = false;
  std::thread keeper_;
};

}  // namespace depthlens
