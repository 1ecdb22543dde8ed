// SPDX-License-Identifier: Apache-2.0
// What the folder of a shard tells of it, looked at from outside: nothing of it is locked or changed.
#pragma once

#include "depthlens/base/error.hpp"
#include "results/lock_holder.hpp"
#include "results/manifest.hpp"
#include "shards/shard_plan.hpp"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace depthlens {

enum class shard_phase {
  not_begun,
  running,
  stopped,        // by a signal; the same command goes on
  short_of_plan,  // done before the plan was enlarged
  failed,         // with an error
  dead,           // its process is gone without a word
  part,           // of a whole run: merged of some of its shards
  done
};
std::string_view phase_name(shard_phase p);  // "not begun"

struct shard_state {
  std::uint64_t number = 0;
  shard_phase phase = shard_phase::not_begun;
  std::filesystem::path folder;
  manifest about;                          // its run.json; empty where there is none
  std::uint64_t finished = 0, wanted = 0;  // records
  lock_holder holder;                      // running or dead: its process
  // By the clock of the file system: since the holder renewed its lock, which is below zero where that is of
  // a time to come, and since a record was finished.
  std::optional<std::chrono::milliseconds> renewed, progressed;
  std::optional<std::chrono::milliseconds> left;        // running
  std::optional<std::chrono::milliseconds> taken_over;  // dead: when another task may have it
  std::string failure;      // what it failed with, or what is wrong with its folder
  std::optional<int> exit;  // its exit status; failed
  // Why it is not known how far it is: run.json is there and cannot be read. It may be done.
  std::optional<status> unreadable;
};

// A process of another machine or container counts as gone when it has not renewed its lock for so long; its
// folder can be taken over when the lease of folder_lock.hpp is over.
inline constexpr std::chrono::milliseconds silence_of_the_dead{60'000};

// Of a run that one process does; its number is 1.
shard_state look_at_run(const std::filesystem::path& folder);
// Leaves in the folder of a shard why, and with which exit status, it could not begin, for the shard_state of
// one without run.json. Nothing is left where the folder `root` holds no plan of so many shards, a process is
// at the shard, or that cannot be written.
void note_failed_start(const std::filesystem::path& root, std::uint64_t number, std::uint64_t of,
                       std::string_view why, int exit) noexcept;
// Once the shard has begun.
void forget_failed_start(const std::filesystem::path& folder) noexcept;
shard_state look_at_shard(const std::filesystem::path& root, const shard_plan& plan, std::uint64_t number);
std::vector<shard_state> look_at_shards(const std::filesystem::path& root, const shard_plan& plan);

// Which shards were computed on which class of device: "cpu (AVX2): 1-3; cpu (SSE4.1): 4". "" = all on one.
std::string shards_by_device(const std::vector<shard_state>& shards);

}  // namespace depthlens
