// SPDX-License-Identifier: Apache-2.0
#include "model/jacobian_file.hpp"

#include <set>
#include <string_view>

namespace depthlens {

jacobian_file::jacobian_file(const std::filesystem::path& path) : file_(path) {
  const auto number = [&](std::string_view key) -> std::optional<std::int64_t> {
    const auto value = member(key, pickle_kind::integer);
    return value ? std::optional(value->node().integer) : std::nullopt;
  };
  d_model_ = number("d_model");
  n_prompts_ = number("n_prompts");
  target_layer_ = target_in(file_.root(), true);
  read_matrices();
  read_fit();
}

// A value of the file's dictionary; nothing where it has no such key.
std::optional<pickle_view> jacobian_file::member(std::string_view key, pickle_kind kind) const {
  const pickle_view root = file_.root();
  if (root.kind() != pickle_kind::dict)
    fail(status::data, path(), ": holds no dictionary; is this a Jacobian lens?");
  for (std::size_t i = 0; i < root.size(); i += 2) {
    if (root.item(i).node().text != key) continue;
    const pickle_view value = root.item(i + 1);
    if (value.kind() != kind)
      fail(status::data, path(), ": ", key, " is ", pickle_kind_name(value.kind()), ", expected ",
           pickle_kind_name(kind));
    return value;
  }
  return std::nullopt;
}

// Files name it so, beside J or in a dictionary of settings; None stands for the last.
std::optional<std::int64_t> jacobian_file::target_in(const pickle_view& dict, bool settings_too) const {
  for (std::size_t i = 0; i < dict.size(); i += 2) {
    const pickle_view value = dict.item(i + 1);
    const std::string_view key = dict.item(i).node().text;
    if (key == "target_layer" || key == "target_block") {
      if (value.kind() == pickle_kind::none) continue;
      if (value.kind() != pickle_kind::integer)
        fail(status::data, path(), ": ", key, " is ", pickle_kind_name(value.kind()), ", expected ",
             pickle_kind_name(pickle_kind::integer));
      return value.node().integer;
    }
    if (settings_too && key != "J" && value.kind() == pickle_kind::dict)
      if (const auto found = target_in(value, false)) return found;
  }
  return std::nullopt;
}

void jacobian_file::read_matrices() {
  const auto matrices = member("J", pickle_kind::dict);
  if (!matrices) fail(status::data, path(), ": has no entry J; is this a Jacobian lens?");
  for (std::size_t i = 0; i < matrices->size(); i += 2) {
    const pickle_node& layer = matrices->item(i).node();
    const torch_tensor* t = file_.find_tensor(matrices->item(i + 1));
    if (layer.kind != pickle_kind::integer || t == nullptr)
      fail(status::data, path(), ": entry ", i / 2, " of J is no matrix of a layer");
    matrices_.emplace(layer.integer, t);
  }
  if (matrices_.empty()) fail(status::data, path(), ": J holds no matrix");
  const auto list = member("source_layers", pickle_kind::list);
  if (!list) return;
  std::set<std::int64_t> named, there;
  for (std::size_t i = 0; i < list->size(); ++i) named.insert(list->item(i).node().integer);
  for (const auto& [block, tensor] : matrices_) there.insert(block);
  if (named != there) fail(status::data, path(), ": source_layers names other layers than J has");
}

void jacobian_file::read_fit() {
  const pickle_view root = file_.root();
  for (std::size_t i = 0; i < root.size(); i += 2) {
    const pickle_view value = root.item(i + 1);
    if (root.item(i).node().text != "fit" || value.kind() != pickle_kind::dict) continue;
    for (std::size_t k = 0; k < value.size(); k += 2)
      if (value.item(k + 1).kind() == pickle_kind::text)
        fit_.emplace(value.item(k).node().text, value.item(k + 1).node().text);
  }
}

}  // namespace depthlens
