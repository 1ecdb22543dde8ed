// SPDX-License-Identifier: Apache-2.0
#include "comparison/state_rows.hpp"

#include "comparison/table_rows.hpp"
#include "depthlens/base/error.hpp"
#include "depthlens/base/text.hpp"
#include "depthlens/table/csv.hpp"
#include "results/manifest.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>
#include <string_view>

namespace depthlens {
namespace {

namespace fs = std::filesystem;

// "layer.6" -> 6; nothing for another name.
std::optional<std::uint32_t> layer_of(std::string_view name) {
  constexpr std::string_view before = "layer.";
  if (!name.starts_with(before)) return std::nullopt;
  name.remove_prefix(before.size());
  std::uint32_t layer = 0;
  const auto [end, code] = std::from_chars(name.data(), name.data() + name.size(), layer);
  if (code != std::errc{} || end != name.data() + name.size()) return std::nullopt;
  return layer;
}

}  // namespace

state_rows::state_rows(const fs::path& folder) : folder_(folder) {
  read_index();
  std::sort(rows_.begin(), rows_.end(), [](const row& a, const row& b) { return a.place < b.place; });
  if (!tensors_.empty())
    for (const auto& [layer, tensor] : tensors_.front()) layers_.push_back(layer);
}

void state_rows::read_index() {
  const fs::path path = folder_ / "index.csv";
  if (!fs::exists(path)) fail(status::no_input, path.string(), ": no such file");
  csv_reader csv(path);
  const std::size_t file = csv.column("file"), number = csv.column("row"), set = csv.column("set"),
                    prompt = csv.column("prompt_id"), sequence = csv.column("sequence"),
                    position = csv.column("position"), token = csv.column("token"),
                    changed = csv.column("changed");
  for (std::vector<std::string> line; csv.next(line);) {
    if (whole_number(csv, line, changed) != 0) continue;
    row& r = rows_.emplace_back();
    r.place = {line[set], whole_number(csv, line, prompt), whole_number(csv, line, sequence),
               whole_number(csv, line, position)};
    r.token = whole_number(csv, line, token);
    r.file = number_of(line[file]);
    const std::int64_t n = whole_number(csv, line, number);
    const std::uint64_t there = tensors_[r.file].begin()->second->view.shape[0];
    if (n < 0 || static_cast<std::uint64_t>(n) >= there)
      fail(status::data, csv.name(), ":", csv.line(), ": row ", n, " of ", printable(line[file]),
           ", which has ", there);
    r.number = static_cast<std::uint64_t>(n);
  }
}

std::uint32_t state_rows::number_of(const std::string& file) {
  if (const auto known = numbers_.find(file); known != numbers_.end()) return known->second;
  if (!is_plain_file_name(file))
    fail(status::data, (folder_ / "index.csv").string(), ": ", printable(file), " is no plain file name");
  take_tensors(files_.emplace_back(folder_ / file));
  return numbers_[file] = static_cast<std::uint32_t>(files_.size() - 1);
}

void state_rows::take_tensors(const safetensors_file& file) {
  std::map<std::uint32_t, const safetensors_tensor*>& of_file = tensors_.emplace_back();
  std::optional<std::uint64_t> rows;
  for (const safetensors_tensor& t : file.tensors()) {
    const std::optional<std::uint32_t> layer = layer_of(t.view.name);
    if (!layer) continue;
    const bool matrix = t.view.type == dtype::f32 && t.view.shape.size() == 2 && t.view.shape[1] > 0;
    if (width_ == 0 && matrix) width_ = t.view.shape[1];
    if (!matrix || t.view.shape[1] != width_ || rows.value_or(t.view.shape[0]) != t.view.shape[0])
      fail(status::data, file.path(), ": ", printable(t.view.name),
           " is no F32 matrix of the other tensors' size");
    rows = t.view.shape[0];
    of_file[*layer] = &t;
  }
  const auto same_layers = [](const auto& a, const auto& b) { return a.first == b.first; };
  if (of_file.empty() || !std::equal(of_file.begin(), of_file.end(), tensors_.front().begin(),
                                     tensors_.front().end(), same_layers))
    fail(status::data, file.path(), ": has not the layers of the other files");
}

std::vector<float> state_rows::state(const row& of, std::uint32_t layer) const {
  std::vector<float> out(width_);
  const std::byte* const data = tensors_[of.file].at(layer)->view.data;
  std::memcpy(out.data(), data + of.number * width_ * sizeof(float), width_ * sizeof(float));
  return out;
}

}  // namespace depthlens
