// SPDX-License-Identifier: Apache-2.0
// Where Hugging Face tools keep downloaded models on this machine. Only looks: nothing is ever downloaded.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <string_view>

#include "depthlens/base/error.hpp"

namespace depthlens {

// Returns the value of an environment variable, empty if it is not set.
using environment = std::function<std::string(const std::string& name)>;

inline std::string process_environment(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  return value == nullptr ? std::string() : std::string(value);
}

namespace detail {

inline bool is_name_char(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
         c == '-';
}

// A leading ~ and every $VAR or ${VAR} that is set, as Python's expanduser and expandvars do.
inline std::string expand_path(std::string_view text, const environment& env) {
  std::string out;
  if (text == "~" || text.starts_with("~/")) {
    out = env("HOME");
    text.remove_prefix(1);
  }
  while (!text.empty()) {
    const bool braces = text.starts_with("${");
    std::size_t end = braces ? 2 : 1;
    while (text.front() == '$' && end < text.size() && is_name_char(text[end]) && text[end] != '.' &&
           text[end] != '-')
      ++end;
    const std::string name(text.substr(braces ? 2 : 1, end - (braces ? 2 : 1)));
    const bool closed = !braces || (end < text.size() && text[end] == '}');
    const std::string value = text.front() == '$' && !name.empty() && closed ? env(name) : std::string();
    if (value.empty()) {
      out += text.front();
      text.remove_prefix(1);
    } else {
      out += value;
      text.remove_prefix(end + (braces ? 1 : 0));
    }
  }
  return out;
}

}  // namespace detail

// HF_HUB_CACHE, else HUGGINGFACE_HUB_CACHE, else HF_HOME/hub, else XDG_CACHE_HOME/huggingface/hub, else
// ~/.cache/huggingface/hub. Variables set to nothing count as not set.
inline std::filesystem::path hf_cache_folder(const environment& env = process_environment) {
  for (const char* name : {"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"}) {
    if (const std::string value = env(name); !value.empty()) return detail::expand_path(value, env);
  }
  if (const std::string home = env("HF_HOME"); !home.empty()) {
    return std::filesystem::path(detail::expand_path(home, env)) / "hub";
  }
  const std::string xdg = env("XDG_CACHE_HOME");
  const std::filesystem::path cache = detail::expand_path(xdg.empty() ? "~/.cache" : xdg, env);
  return cache / "huggingface" / "hub";
}

namespace detail {

inline bool is_commit_id(std::string_view text) noexcept {
  return text.size() == 40 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// The commit a branch, tag or pull request points at in a cached repository, or the revision itself if it is
// a commit; empty if the cache does not know it.
inline std::string find_commit(const std::filesystem::path& repo_folder, const std::string& revision) {
  if (is_commit_id(revision)) return revision;
  std::ifstream in(repo_folder / "refs" / revision, std::ios::binary);
  char text[41] = {};
  in.read(text, 40);
  const std::string_view commit(text, static_cast<std::size_t>(in.gcount()));
  return is_commit_id(commit) ? std::string(commit) : std::string();
}

}  // namespace detail

}  // namespace depthlens
