// SPDX-License-Identifier: Apache-2.0
#include "results/folder_owner.hpp"

#include "depthlens/base/error.hpp"
#include "results/manifest.hpp"

#include <algorithm>

namespace depthlens {
namespace {

namespace fs = std::filesystem;

enum class run_json { absent, ours, damaged, foreign };

run_json look_at(const fs::path& file) {
  if (!fs::exists(file)) return run_json::absent;
  try {
    return manifest::read(file).fields.contains("depthlens") ? run_json::ours : run_json::foreign;
  } catch (const error& e) {
    if (e.code() == status::config) return run_json::ours;  // of a later version
    return fs::is_regular_file(file) ? run_json::damaged : run_json::foreign;
  }
}

bool is_unfinished(const std::string& name) {  // table/atomic_file.hpp
  return name.starts_with('.') && name.find(".tmp-") != std::string::npos;
}

bool is_part_of_a_run(const fs::directory_entry& entry, run_json manifest) {
  const std::string name = entry.path().filename().string();
  if (name == "run.json") return manifest != run_json::foreign;
  // Written before run.json.
  for (const char* early : {"null_mean.safetensors", "shards.json", "failure"})
    if (name == early) return true;
  if (name == "report.html") return true;  // of `depthlens report`
  return is_unfinished(name) ||
         (entry.is_directory() &&
          (name == "data" || name == "plots" || name == "log" || name == "states" || name == "shards"));
}

}  // namespace

std::string foreign_entry(const fs::path& folder) {
  if (!fs::is_directory(folder)) return "";
  const run_json manifest = look_at(folder / "run.json");
  if (manifest == run_json::ours) return "";
  std::vector<std::string> found;
  for (const auto& entry : fs::directory_iterator(folder))
    if (!is_part_of_a_run(entry, manifest)) found.push_back(entry.path().filename().string());
  return found.empty() ? "" : *std::min_element(found.begin(), found.end());
}

void refuse_foreign_folder(const fs::path& folder, const std::string& what) {
  if (const std::string found = foreign_entry(folder); !found.empty())
    fail(status::config, folder.string(), ": holds ", found, ", which depthlens did not write, and ", what,
         "; choose another --out");
}

void refuse_inputs_within(const fs::path& folder, const std::vector<fs::path>& inputs) {
  fs::path root = fs::weakly_canonical(fs::absolute(folder));
  if (root.filename().empty()) root = root.parent_path();
  const auto is_within = [&](const fs::path& p) {
    return std::mismatch(root.begin(), root.end(), p.begin(), p.end()).first == root.end();
  };
  for (const fs::path& input : inputs) {
    if (input.empty() || !fs::exists(input)) continue;
    const fs::path named = fs::absolute(input).lexically_normal();
    // A link is within where it stands, and what it leads to where that is.
    if (is_within(fs::canonical(input)) ||
        is_within(fs::weakly_canonical(named.parent_path()) / named.filename()))
      fail(status::usage, "--out ", folder.string(), ": is, or holds, ", input.string(),
           ", which is read; choose another --out");
  }
}

}  // namespace depthlens
