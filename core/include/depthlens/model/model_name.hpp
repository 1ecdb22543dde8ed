// SPDX-License-Identifier: Apache-2.0
// What a user may write for a model, to a path: an existing folder or file, else
// [org/]name[@revision][:file.gguf] in the local Hugging Face cache. What is not there is an error with the
// exact line that downloads it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "depthlens/error.hpp"
#include "depthlens/json.hpp"
#include "depthlens/model/hf_cache.hpp"
#include "depthlens/model/printable.hpp"
#include "depthlens/model/safetensors.hpp"
#include "depthlens/model/torch_folder.hpp"

namespace depthlens {

struct model_location {
  std::filesystem::path path;  // folder or .gguf file
  std::string repo;            // "org/name", empty for a path the user gave
  std::string commit;          // of the snapshot, empty likewise
};

// A name taken apart; `revision` is "main" where none is given, `file` empty.
struct model_name {
  std::string repo;
  std::string revision = "main";
  std::string file;
};

namespace detail {

// One or more parts of [A-Za-z0-9._-] between single slashes, none of them "." or "..".
inline bool is_plain_path(std::string_view text, std::size_t max_parts) noexcept {
  for (std::size_t parts = 1; parts <= max_parts; ++parts) {
    const std::size_t end = text.find('/');
    const std::string_view part = text.substr(0, end);
    if (part.empty() || part == "." || part == ".." || !std::all_of(part.begin(), part.end(), is_name_char))
      return false;
    if (end == std::string_view::npos) return true;
    text.remove_prefix(end + 1);
  }
  return false;
}

inline std::string download_line(const model_name& name) {
  std::string line = "hf download " + name.repo;
  if (!name.file.empty()) line += " " + name.file;
  if (name.revision != "main") line += " --revision " + name.revision;
  return line;
}

// The first file that a snapshot folder lacks to be a model, empty if it is complete.
// The same where the weights are files of torch.save, if they are.
inline std::string find_missing_torch_file(const std::filesystem::path& folder) {
  if (std::filesystem::exists(folder / torch_weights_name)) return "";
  if (!std::filesystem::exists(folder / torch_index_name)) return "model.safetensors";
  for (const auto& [tensor, shard] : read_torch_index(folder / torch_index_name))
    if (!std::filesystem::exists(folder / shard)) return shard;
  return "";
}

inline std::string find_missing_file(const std::filesystem::path& folder) {
  if (!std::filesystem::exists(folder / "config.json")) return "config.json";
  if (std::filesystem::exists(folder / "model.safetensors")) return "";
  const auto index = folder / "model.safetensors.index.json";
  if (!std::filesystem::exists(index)) return find_missing_torch_file(folder);
  const json_document json = json_document::from_file(index, {.max_bytes = std::size_t{64} << 20});
  const json_view map = json.root().require("weight_map");
  for (const auto& [key, value] : map.as_object()) {
    const json_view shard(value, map.label(), "weight_map");
    check_shard_name(shard.as_string(), shard.place());
    if (!std::filesystem::exists(folder / shard.as_string())) return std::string(shard.as_string());
  }
  return "";
}

inline std::vector<std::string> list_gguf_files(const std::filesystem::path& folder) {
  std::vector<std::string> out;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() == ".gguf") out.push_back(entry.path().filename().string());
  }
  std::sort(out.begin(), out.end());
  return out;
}

// The model in a snapshot where the user named no file.
inline std::filesystem::path choose_in_snapshot(const std::filesystem::path& snapshot,
                                                const model_name& name) {
  const std::string missing = find_missing_file(snapshot);
  if (missing.empty()) return snapshot;
  const std::vector<std::string> ggufs = list_gguf_files(snapshot);
  if (ggufs.size() == 1) return snapshot / ggufs[0];
  if (ggufs.size() > 1) {
    fail(status::no_input, name.repo, " holds ", ggufs.size(), " GGUF files; name one of them, e.g. ",
         name.repo, ":", ggufs[0]);
  }
  fail(status::no_input, name.repo, ": the download in the Hugging Face cache is incomplete, ",
       printable(missing), " is missing; run: ", download_line(name));
}

}  // namespace detail

// Takes [org/]name[@revision][:file.gguf] apart. Errors: no_input if it is none.
inline model_name parse_model_name(std::string_view text) {
  model_name out;
  std::string_view rest = text;
  bool good = true;
  if (const std::size_t colon = rest.find(':'); colon != std::string_view::npos) {
    out.file = std::string(rest.substr(colon + 1));
    good = detail::is_plain_path(out.file, 16) && out.file.ends_with(".gguf");
    rest = rest.substr(0, colon);
  }
  if (const std::size_t at = rest.find('@'); at != std::string_view::npos) {
    out.revision = std::string(rest.substr(at + 1));
    good = good && detail::is_plain_path(out.revision, 16);
    rest = rest.substr(0, at);
  }
  out.repo = std::string(rest);
  if (!good || !detail::is_plain_path(out.repo, 2) || out.repo.front() == '-' ||
      out.repo.ends_with(".gguf")) {
    fail(status::no_input, "model ", printable(text, 400), ": no such file or folder, nor a name like ",
         "org/name[@revision][:file.gguf]");
  }
  return out;
}

// Errors: no_input if it is neither here nor in the cache.
inline model_location resolve_model(const std::string& text, const environment& env = process_environment) {
  std::error_code ignored;
  if (!text.empty() && std::filesystem::exists(text, ignored))
    return {.path = text, .repo = {}, .commit = {}};
  const model_name name = parse_model_name(text);
  std::string folder = "models--" + name.repo;
  if (const std::size_t slash = folder.find('/'); slash != std::string::npos) folder.replace(slash, 1, "--");
  const std::filesystem::path repo_folder = hf_cache_folder(env) / folder;
  model_location out{
      .path = {}, .repo = name.repo, .commit = detail::find_commit(repo_folder, name.revision)};
  const std::filesystem::path snapshot = repo_folder / "snapshots" / out.commit;
  if (out.commit.empty() || !std::filesystem::is_directory(snapshot, ignored)) {
    fail(status::no_input, "model ", printable(text, 400), ": no such file or folder, and ", name.repo,
         " is not in the Hugging Face cache (", hf_cache_folder(env).string(),
         "); run: ", detail::download_line(name));
  }
  if (name.file.empty()) {
    out.path = detail::choose_in_snapshot(snapshot, name);
  } else if (std::filesystem::exists(snapshot / name.file, ignored)) {
    out.path = snapshot / name.file;
  } else {
    fail(status::no_input, name.repo, ": ", name.file,
         " is not in the Hugging Face cache; run: ", detail::download_line(name));
  }
  return out;
}

}  // namespace depthlens
