// SPDX-License-Identifier: Apache-2.0
#include "commands/cached_models.hpp"

#include "depthlens/model/model_name.hpp"

#include <algorithm>

namespace depthlens {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> entries_of(const fs::path& folder) {
  std::vector<fs::path> out;
  std::error_code code;
  for (fs::directory_iterator at(folder, code), end; !code && at != end; at.increment(code))
    out.push_back(at->path());
  std::sort(out.begin(), out.end());
  return out;
}

// Of the file at the end of a link; 0 where it cannot be looked at.
std::uint64_t size_of(const fs::path& file) {
  std::error_code code;
  const std::uintmax_t size = fs::is_regular_file(file, code) ? fs::file_size(file, code) : 0;
  return code ? 0 : size;
}

std::uint64_t size_of_weights(const fs::path& snapshot) {
  std::uint64_t bytes = 0;
  for (const fs::path& p : entries_of(snapshot))
    if (p.extension() == ".safetensors" || p.extension() == ".bin") bytes += size_of(p);
  return bytes;
}

void add_snapshot(const std::string& name, const fs::path& repo, const fs::path& snapshot,
                  const std::string& note, std::vector<cached_model>& out) {
  const bool folder = fs::exists(snapshot / "config.json") && size_of_weights(snapshot) > 0;
  for (const fs::path& p : entries_of(snapshot))
    if (p.extension() == ".gguf")
      out.push_back({name + ":" + p.filename().string(), size_of(p),
                     detail::is_gguf_part(p.filename().string()) ? "a part of a split model" : note});
  const detail::unfinished_files unfinished = detail::find_unfinished(repo / "blobs");
  if (!folder && unfinished.count == 0) return;
  cached_model m{name, size_of_weights(snapshot), note};
  try {
    if (const std::string missing = detail::find_missing_file(snapshot); !missing.empty())
      m.note = cat("incomplete, ", printable(missing), " is missing");
  } catch (const error& e) {
    m.note = e.what();
  }
  if (!m.note.empty()) m.note += detail::unfinished_text(unfinished);
  if (folder || !m.note.empty()) out.push_back(std::move(m));
}

}  // namespace

std::vector<cached_model> cached_models(const fs::path& cache) {
  std::vector<cached_model> out;
  for (const fs::path& repo : entries_of(cache)) {
    std::string name = repo.filename().string();
    if (!name.starts_with("models--")) continue;
    name.erase(0, 8);
    if (const std::size_t dashes = name.find("--"); dashes != std::string::npos) name.replace(dashes, 2, "/");
    const std::string commit = detail::find_commit(repo, "main");
    if (!commit.empty() && fs::is_directory(repo / "snapshots" / commit)) {
      add_snapshot(name, repo, repo / "snapshots" / commit, "", out);
      continue;
    }
    for (const fs::path& snapshot : entries_of(repo / "snapshots"))
      add_snapshot(name + "@" + snapshot.filename().string(), repo, snapshot, "", out);
  }
  return out;
}

}  // namespace depthlens
