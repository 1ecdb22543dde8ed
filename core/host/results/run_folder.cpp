// SPDX-License-Identifier: Apache-2.0
#include "results/run_folder.hpp"

#include "depthlens/base/error.hpp"
#include "depthlens/base/io_error.hpp"
#include "results/folder_owner.hpp"

#include <unistd.h>

#include <cerrno>
#include <vector>

namespace depthlens {
namespace {

namespace fs = std::filesystem;

// What a killed process was writing (base/atomic_file.hpp); nobody else writes here while the lock is held.
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

run_folder::run_folder(const fs::path& root, const lock_timing& timing) {
  make_folder(root);
  root_ = fs::canonical(root);
  for (const char* part : {"data", "plots", "log"}) make_folder(root_ / part);
  lock_.emplace(root_ / "log" / "lock", timing);
  for (const fs::path& p : {root_, root_ / "data", root_ / "plots", root_ / "log"}) remove_unfinished(p);
  if (fs::is_directory(root_ / "states"))
    for (const auto& study : fs::directory_iterator(root_ / "states"))
      if (study.is_directory()) remove_unfinished(study.path());
}

fs::path log_path(const fs::path& root, const std::string& study, const std::string& lens) {
  return root / "log" / (study + "." + lens + ".log");
}

fs::path states_log_path(const fs::path& root, const std::string& study) {
  return root / "log" / ("states-" + study + ".log");
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
