// SPDX-License-Identifier: Apache-2.0
// The weights of a folder in files of torch.save: pytorch_model.bin, or the shards that
// pytorch_model.bin.index.json names. Older models have no others. Which tensors belong to a model is
// model_files.hpp.
#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "depthlens/base/error.hpp"
#include "depthlens/base/io_error.hpp"
#include "depthlens/base/json.hpp"
#include "depthlens/base/text.hpp"
#include "depthlens/files/torch_file.hpp"

namespace depthlens {

inline constexpr const char* torch_weights_name = "pytorch_model.bin";
inline constexpr const char* torch_index_name = "pytorch_model.bin.index.json";

inline bool has_torch_weights(const std::filesystem::path& folder) {
  return input_exists(folder / torch_weights_name) || input_exists(folder / torch_index_name);
}

namespace detail {

// A shard must lie beside its index: a plain name that cannot lead elsewhere.
inline void check_torch_shard_name(std::string_view name, const std::string& place) {
  const bool plain = name.ends_with(".bin") && name.front() != '.' &&
                     name.find_first_of(std::string_view("/\\\0", 3)) == std::string_view::npos;
  if (!plain) fail(status::data, place, "shard ", printable(name), " is not a plain *.bin file name");
}

}  // namespace detail

// The names of the shards by tensor, checked; the file is pytorch_model.bin.index.json. Errors: data.
inline std::map<std::string, std::string> read_torch_index(const std::filesystem::path& file) {
  const json_document json = json_document::from_file(file, {.max_bytes = std::size_t{64} << 20});
  const json_view map = json.root().require("weight_map");
  std::map<std::string, std::string> out;
  for (const auto& [key, value] : map.as_object()) {
    const std::string name(key.data(), key.size());
    const json_view item(value, map.label(), cat("weight_map.", printable(name)));
    detail::check_torch_shard_name(item.as_string(), item.place());
    out.emplace(name, item.as_string());
  }
  return out;
}

// Errors: no_input if a shard is missing; data if the index names a tensor that its shard lacks, or if two
// shards hold the same name, and what torch_file throws.
inline std::vector<torch_file> open_torch_folder(const std::filesystem::path& folder) {
  std::vector<torch_file> files;
  if (input_exists(folder / torch_weights_name)) {
    files.emplace_back(folder / torch_weights_name);
    return files;
  }
  const auto index = folder / torch_index_name;
  const std::map<std::string, std::string> wanted = read_torch_index(index);
  std::map<std::string, std::string> found;  // tensor -> shard
  std::map<std::string, bool> opened;
  for (const auto& [tensor, shard] : wanted) {
    if (!opened.emplace(shard, true).second) continue;
    if (!input_exists(folder / shard))
      fail(status::no_input, index.string(), ": shard ", printable(shard),
           " is missing: the model is incomplete");
    files.emplace_back(folder / shard);
    for (const torch_tensor& t : files.back().state_dict())
      if (!found.emplace(t.view.name, shard).second)
        fail(status::data, files.back().path(), ": tensor ", printable(t.view.name),
             " is in another shard too");
  }
  for (const auto& [tensor, shard] : wanted) {
    const auto at = found.find(tensor);
    if (at == found.end() || at->second != shard)
      fail(status::data, index.string(), ": tensor ", printable(tensor), " is not in its shard ",
           printable(shard));
  }
  return files;
}

}  // namespace depthlens
