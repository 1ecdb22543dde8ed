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

#include "depthlens/base/error.hpp"
#include "depthlens/base/io_error.hpp"
#include "depthlens/base/json.hpp"
#include "depthlens/base/text.hpp"
#include "depthlens/files/safetensors.hpp"
#include "depthlens/files/torch_folder.hpp"
#include "depthlens/model/hf_cache.hpp"

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

// find_missing_file where the weights are files of torch.save, if they are.
inline std::string find_missing_torch_file(const std::filesystem::path& folder) {
  if (input_exists(folder / torch_weights_name)) return "";
  if (!input_exists(folder / torch_index_name)) return "model.safetensors";
  for (const auto& [tensor, shard] : read_torch_index(folder / torch_index_name))
    if (!input_exists(folder / shard)) return shard;
  return "";
}

// The first file that a folder lacks to be a model, empty if it is complete.
inline std::string find_missing_file(const std::filesystem::path& folder) {
  if (!input_exists(folder / "config.json")) return "config.json";
  if (input_exists(folder / "model.safetensors")) return "";
  const auto index = folder / "model.safetensors.index.json";
  if (!input_exists(index)) return find_missing_torch_file(folder);
  const json_document json = json_document::from_file(index, {.max_bytes = std::size_t{64} << 20});
  const json_view map = json.root().require("weight_map");
  for (const auto& [key, value] : map.as_object()) {
    const json_view shard(value, map.label(), "weight_map");
    check_shard_name(shard.as_string(), shard.place());
    if (!input_exists(folder / shard.as_string())) return std::string(shard.as_string());
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

// One of several parts of a model, as llama-gguf-split names them: NAME-00001-of-00003.gguf.
inline bool is_gguf_part(std::string_view name) {
  static constexpr std::string_view form = "-00000-of-00000.gguf";
  if (name.size() <= form.size()) return false;
  name.remove_prefix(name.size() - form.size());
  return std::equal(name.begin(), name.end(), form.begin(),
                    [](char c, char f) { return f == '0' ? c >= '0' && c <= '9' : c == f; });
}

// Whatever `hf download` was fetching when it ended: their number and bytes.
struct unfinished_files {
  std::size_t count = 0;
  std::uintmax_t bytes = 0;
};

inline unfinished_files find_unfinished(const std::filesystem::path& folder) {
  unfinished_files out;
  std::error_code code;
  for (std::filesystem::directory_iterator at(folder, code), end; !code && at != end; at.increment(code)) {
    if (at->path().extension() != ".incomplete") continue;
    std::error_code unknown;
    const std::uintmax_t size = at->file_size(unknown);
    ++out.count;
    out.bytes += unknown ? 0 : size;
  }
  return out;
}

inline std::string unfinished_text(const unfinished_files& files) {
  if (files.count == 0) return "";
  return cat(", the download of ", files.count, files.count == 1 ? " file" : " files", " was not finished (",
             files.bytes / 1000000, " MB so far)");
}

// The only GGUF file of a folder whose `name` is what a user writes for it; empty where it has none.
inline std::filesystem::path only_gguf(const std::filesystem::path& folder, const std::string& name,
                                       std::string_view before_file) {
  const std::vector<std::string> ggufs = list_gguf_files(folder);
  if (ggufs.empty()) return {};
  if (std::all_of(ggufs.begin(), ggufs.end(), is_gguf_part)) {
    fail(status::data, name, ": holds a GGUF model in ", ggufs.size(),
         " parts; make one file of them and give that: llama-gguf-split --merge ",
         (folder / ggufs[0]).string(), " WHOLE.gguf");
  }
  if (ggufs.size() == 1) return folder / ggufs[0];
  constexpr std::size_t most = 8;
  std::string all;
  for (std::size_t i = 0; i < ggufs.size() && i < most; ++i) all += (i == 0 ? "" : ", ") + ggufs[i];
  if (ggufs.size() > most) all += ", ...";
  fail(status::no_input, name, " holds ", ggufs.size(), " GGUF files; name one of them, e.g. ", name,
       before_file, ggufs[0], " (there are: ", all, ")");
}

// The model in a snapshot where the user named no file.
inline std::filesystem::path choose_in_snapshot(const std::filesystem::path& repo_folder,
                                                const std::filesystem::path& snapshot,
                                                const model_name& name) {
  const std::string missing = find_missing_file(snapshot);
  if (missing.empty() || input_exists(snapshot / "adapter_config.json")) return snapshot;
  if (const auto gguf = only_gguf(snapshot, name.repo, ":"); !gguf.empty()) return gguf;
  fail(status::no_input, name.repo, ": the download in the Hugging Face cache is incomplete, ",
       printable(missing), " is missing", unfinished_text(find_unfinished(repo_folder / "blobs")),
       "; run: ", download_line(name));
}

// The model in a folder that the user named: itself, or the one GGUF file in it.
inline std::filesystem::path choose_in_folder(const std::filesystem::path& folder, const std::string& name) {
  if (!input_is_folder(folder)) return folder;
  const bool weights = input_exists(folder / "model.safetensors") ||
                       input_exists(folder / "model.safetensors.index.json") || has_torch_weights(folder);
  if (weights || input_exists(folder / "adapter_config.json")) return folder;
  const auto gguf = only_gguf(folder, name, name.ends_with('/') ? "" : "/");
  if (!gguf.empty()) return gguf;
  const unfinished_files files = find_unfinished(folder / ".cache/huggingface/download");
  if (files.count > 0)
    fail(status::no_input, name, ": has no weights", unfinished_text(files), "; run hf download again");
  return folder;
}

// A cached repository without what `revision` names: what there is of it.
[[noreturn]] inline void fail_without_commit(const std::filesystem::path& repo_folder, const model_name& name,
                                             const std::string& asked, const environment& env) {
  std::vector<std::string> snapshots;
  std::error_code code;
  for (std::filesystem::directory_iterator at(repo_folder / "snapshots", code), end; !code && at != end;
       at.increment(code))
    if (is_commit_id(at->path().filename().string())) snapshots.push_back(at->path().filename().string());
  std::sort(snapshots.begin(), snapshots.end());
  const std::string unfinished = unfinished_text(find_unfinished(repo_folder / "blobs"));
  if (!snapshots.empty() && !is_commit_id(name.revision)) {
    constexpr std::size_t most = 4;
    std::string all;
    for (std::size_t i = 0; i < snapshots.size() && i < most; ++i)
      all += cat(i == 0 ? "" : ", ", name.repo, "@", snapshots[i]);
    fail(status::no_input, "model ", printable(asked, 400), ": the Hugging Face cache has ", name.repo,
         " but not which commit ", name.revision, " is (",
         std::filesystem::exists(repo_folder / "refs" / name.revision, code)
             ? "its commit is not there: refs/"
             : "no refs/",
         name.revision, ")", unfinished, "; name the commit: ", all, snapshots.size() > most ? ", ..." : "",
         "; or run: ", download_line(name));
  }
  if (!unfinished.empty())
    fail(status::no_input, "model ", printable(asked, 400), ": in the Hugging Face cache", unfinished,
         "; run: ", download_line(name));
  fail(status::no_input, "model ", printable(asked, 400), ": no such file or folder, and ", name.repo,
       is_commit_id(name.revision) ? cat("@", name.revision) : std::string(),
       " is not in the Hugging Face cache (", hf_cache_folder(env).string(), "); run: ", download_line(name));
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
  if (!text.empty() && input_exists(text))
    return {.path = detail::choose_in_folder(text, text), .repo = {}, .commit = {}};
  const model_name name = parse_model_name(text);
  std::string folder = "models--" + name.repo;
  if (const std::size_t slash = folder.find('/'); slash != std::string::npos) folder.replace(slash, 1, "--");
  const std::filesystem::path repo_folder = hf_cache_folder(env) / folder;
  model_location out{
      .path = {}, .repo = name.repo, .commit = detail::find_commit(repo_folder, name.revision)};
  const std::filesystem::path snapshot = repo_folder / "snapshots" / out.commit;
  if (out.commit.empty() || !input_is_folder(snapshot))
    detail::fail_without_commit(repo_folder, name, text, env);
  if (name.file.empty()) {
    out.path = detail::choose_in_snapshot(repo_folder, snapshot, name);
  } else if (input_exists(snapshot / name.file)) {
    out.path = snapshot / name.file;
  } else {
    fail(status::no_input, name.repo, ": ", name.file, " is not in the Hugging Face cache",
         detail::unfinished_text(detail::find_unfinished(repo_folder / "blobs")),
         "; run: ", detail::download_line(name));
  }
  return out;
}

}  // namespace depthlens
