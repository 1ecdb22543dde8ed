// SPDX-License-Identifier: Apache-2.0
// The output folder of a run: run.json, data/, plots/, log/, and states/ where it keeps some. Held by one
// process at a time.
#pragma once

#include "results/folder_lock.hpp"

#include <filesystem>
#include <optional>
#include <string>

namespace depthlens {

// Of a run's folder: the log of a study and lens.
std::filesystem::path log_path(const std::filesystem::path& root, const std::string& study,
                               const std::string& lens);

// The log of a study's states. No lens has one of that name, as theirs have a dot more.
std::filesystem::path states_log_path(const std::filesystem::path& root, const std::string& study);

class run_folder {
 public:
  // Creates the folder and takes its lock. One that another process holds is status::config and names it.
  explicit run_folder(const std::filesystem::path& root, const lock_timing& timing = {});
  run_folder(const run_folder&) = delete;

  folder_lock& lock() { return *lock_; }
  const std::filesystem::path& root() const { return root_; }
  std::filesystem::path manifest() const { return root_ / "run.json"; }
  std::filesystem::path data() const { return root_ / "data"; }
  std::filesystem::path plots() const { return root_ / "plots"; }
  std::filesystem::path progress() const { return root_ / "log" / "progress"; }  // see run_progress.hpp
  std::filesystem::path log(const std::string& study, const std::string& lens) const {
    return log_path(root_, study, lens);
  }
  std::filesystem::path states_log(const std::string& study) const { return states_log_path(root_, study); }
  // Of a study's states, where they are kept.
  std::filesystem::path states(const std::string& study) const { return root_ / "states" / study; }

 private:
  std::filesystem::path root_;
  std::optional<folder_lock> lock_;
};

// Creates a folder that can be written to, or throws status::cannot_create.
void make_folder(const std::filesystem::path& path);

// Renames an existing run to the first free DIR.old-N and returns that path; empty where there was none. A
// run that another process holds is refused as run_folder does, a folder of others as folder_owner.hpp says.
std::filesystem::path move_aside(const std::filesystem::path& root);

}  // namespace depthlens
