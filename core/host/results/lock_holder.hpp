// SPDX-License-Identifier: Apache-2.0
// What stands in the lock of a folder, "HOST PID STARTED [boot=ID] [pids=ID] [slurm=JOB.RESTARTS]": who holds
// it, and when it was last renewed. Anything may stand in one that others wrote.
#pragma once

#include <chrono>
#include <cstdint>
#include <ctime>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace depthlens {

// A job that is requeued keeps its number; each task of an array has its own.
struct slurm_job {
  std::string id;  // "" = none
  std::uint64_t restarts = 0;
  static slurm_job own();
};

struct lock_holder {
  std::string host;  // "" = nothing is there
  long pid = 0;
  std::string started;  // in clock ticks since boot
  std::string boot;     // of the machine; "" = not told
  std::string pids;     // the namespace in which `pid` is its number; "" = not told
  slurm_job job;

  // By name, and where the lock tells them by the boot and the namespace of process numbers: machines of one
  // name, as containers of one job may be, are told apart. One that was started anew since counts as another;
  // so does a container of this machine, whose processes cannot be seen from here.
  bool is_of_this_machine() const;
  bool lives() const;  // of this machine
};

lock_holder holder_of(std::string_view text);

// What this process writes.
std::string lock_text();

// The first 4 KiB of a lock; nothing where there is none that can be read at once.
std::optional<std::string> read_lock(const std::filesystem::path& lock);

// When it was last written or renewed, and how long ago that is by the clock of its file system, which is
// that of a file made beside it: the clocks of two machines need not agree. Nothing where that cannot be
// told.
std::optional<timespec> time_of(const std::filesystem::path& lock);
std::optional<std::chrono::milliseconds> age_of(const std::filesystem::path& lock);

}  // namespace depthlens
