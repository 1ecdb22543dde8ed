// SPDX-License-Identifier: Apache-2.0
// safetensors: one file, or the sharded files that model.safetensors.index.json names. Reads the header with
// the format's own rules (offsets start at 0 and follow each other without overlap, hole or rest; no key
// twice; sizes by checked arithmetic) and gives views into the mapped file. Which tensors belong to a model
// is model_files.hpp.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "depthlens/base/checked.hpp"
#include "depthlens/base/error.hpp"
#include "depthlens/base/io_error.hpp"
#include "depthlens/base/json.hpp"
#include "depthlens/base/mapped_file.hpp"
#include "depthlens/base/text.hpp"
#include "depthlens/files/tensor.hpp"

namespace depthlens {

// A tensor as the file names it. `view.type` is dtype::other for types that are only listed (I64, F8_E4M3,
// ...).
struct safetensors_tensor {
  tensor_view view;
  const char* type_name = "";
  std::uint64_t begin = 0;  // from the start of the data section
};

namespace detail {

struct safetensors_type {
  const char* name;
  std::uint32_t bits;
  dtype type;
};

// Null for a name that the format does not know.
inline const safetensors_type* find_safetensors_type(std::string_view name) noexcept {
  static constexpr safetensors_type table[] = {
      {"F32", 32, dtype::f32},      {"F16", 16, dtype::f16},      {"BF16", 16, dtype::bf16},
      {"F64", 64, dtype::other},    {"I64", 64, dtype::other},    {"I32", 32, dtype::other},
      {"I16", 16, dtype::other},    {"I8", 8, dtype::other},      {"U64", 64, dtype::other},
      {"U32", 32, dtype::other},    {"U16", 16, dtype::other},    {"U8", 8, dtype::other},
      {"BOOL", 8, dtype::other},    {"C64", 64, dtype::other},    {"F8_E5M2", 8, dtype::other},
      {"F8_E4M3", 8, dtype::other}, {"F8_E8M0", 8, dtype::other}, {"F6_E2M3", 6, dtype::other},
      {"F6_E3M2", 6, dtype::other}, {"F4", 4, dtype::other},
  };
  for (const safetensors_type& entry : table) {
    if (name == entry.name) return &entry;
  }
  return nullptr;
}

// A count or offset: a JSON integer, where as_u64 would also take 1.0.
inline std::uint64_t strict_u64(const json_view& number) {
  if (number.value().is_double()) fail(status::data, number.place(), "is not an integer of at least 0");
  return number.as_u64();
}

inline safetensors_tensor read_safetensors_entry(std::string_view name, const json_view& entry) {
  safetensors_tensor out;
  out.view.name = std::string(name);
  const std::string_view type_name = entry.require_string("dtype");
  const safetensors_type* type = find_safetensors_type(type_name);
  if (type == nullptr) fail(status::data, entry.place(), "unknown dtype ", printable(type_name));
  out.type_name = type->name;
  out.view.type = type->type;
  const auto where = [&] { return entry.place() + "size of the tensor"; };
  std::uint64_t bits = type->bits;
  const json_view shape = entry.require("shape");
  for (std::size_t i = 0; i < shape.as_array().size(); ++i) {
    out.view.shape.push_back(strict_u64(shape.at(i)));
    bits = checked_mul(bits, out.view.shape.back(), where);
  }
  if (bits % 8 != 0) fail(status::data, entry.place(), bits, " bits do not fill whole bytes");
  const json_view offsets = entry.require("data_offsets");
  if (offsets.as_array().size() != 2) fail(status::data, offsets.place(), "expected [begin, end]");
  out.begin = strict_u64(offsets.at(0));
  const std::uint64_t end = strict_u64(offsets.at(1));
  if (end < out.begin || end - out.begin != bits / 8) {
    fail(status::data, offsets.place(), "[", out.begin, ", ", end, "] does not hold the ", bits / 8,
         " bytes that dtype and shape need");
  }
  out.view.bytes = checked_narrow<std::size_t>(bits / 8, where);
  return out;
}

}  // namespace detail

// One file. Views live as long as this object (moved or not). Thread-safe once constructed.
class safetensors_file {
 public:
  // Maps and reads `path`. Errors: those of mapped_file, and status::data for anything wrong in the file.
  explicit safetensors_file(const std::filesystem::path& path) : file_(path), label_(file_.path()) {
    read(file_.bytes());
  }

  // Reads bytes that the caller keeps alive; `label` stands for the file name in errors.
  safetensors_file(std::span<const std::byte> bytes, std::string label) : label_(std::move(label)) {
    read(bytes);
  }

  const std::string& path() const noexcept { return label_; }
  void forget_pages() const noexcept { file_.forget_pages(); }  // see mapped_file
  void require_unchanged() const { file_.require_unchanged(); }
  std::span<const safetensors_tensor> tensors() const noexcept { return tensors_; }  // in order of their data

 private:
  static constexpr std::uint64_t max_header = 100'000'000;

  void read(std::span<const std::byte> bytes) {
    byte_cursor in(bytes, label_);
    const std::uint64_t n = in.u64("the header length");
    if (n > max_header)
      in.fail_here("the header length ", n, " is over ", max_header, ": not a safetensors file?");
    const auto header = in.take(n, "the header");
    const std::string_view text(reinterpret_cast<const char*>(header.data()), header.size());
    // An entry has at most one value in four bytes unless it has dozens of dimensions.
    const json_document json(text, label_ + " (header)", {.max_bytes = max_header, .max_values = n / 4 + 64});
    read_entries(json.root());
    place(bytes.subspan(in.offset()));
  }

  void read_entries(const json_view& root) {
    for (const auto& [key, value] : root.as_object()) {
      const std::string_view name(key.data(), key.size());
      const json_view entry(value, root.label(), printable(name));
      if (name == "__metadata__") {
        for (const auto& item : entry.as_object()) {
          if (!item.value().is_string()) fail(status::data, entry.place(), "expected only strings");
        }
        continue;
      }
      tensors_.push_back(detail::read_safetensors_entry(name, entry));
    }
  }

  void place(std::span<const std::byte> data) {
    std::sort(tensors_.begin(), tensors_.end(), [](const auto& a, const auto& b) {
      return std::pair(a.begin, a.view.bytes) < std::pair(b.begin, b.view.bytes);
    });
    std::uint64_t end = 0;
    for (safetensors_tensor& tensor : tensors_) {
      const std::string name = printable(tensor.view.name);
      if (tensor.begin != end) {
        fail(status::data, label_, ": tensor ", name, " starts at data offset ", tensor.begin, ", expected ",
             end, ": tensors overlap or leave a gap");
      }
      if (tensor.view.bytes > data.size() - end) {
        fail(status::data, label_, ": tensor ", name, " needs ", tensor.view.bytes, " bytes at data offset ",
             end, ", but only ", data.size() - end, " are left: the file is truncated");
      }
      tensor.view.data = data.data() + end;
      end += tensor.view.bytes;
    }
    if (end != data.size()) {
      fail(status::data, label_, ": ", data.size() - end,
           " bytes after the last tensor: the file is corrupt");
    }
  }

  mapped_file file_;
  std::string label_;
  std::vector<safetensors_tensor> tensors_;
};

namespace detail {

// A shard must lie beside its index: a plain name that cannot lead elsewhere, no longer than file systems
// have them.
inline void check_shard_name(std::string_view name, const std::string& place) {
  const bool plain = name.ends_with(".safetensors") && name.front() != '.' && name.size() <= 255 &&
                     name.find_first_of(std::string_view("/\\\0", 3)) == std::string_view::npos;
  if (!plain) fail(status::data, place, "shard ", printable(name), " is not a plain *.safetensors file name");
}

}  // namespace detail

// The weights of a folder: model.safetensors, else the shards of model.safetensors.index.json. Errors:
// no_input if neither or a shard is missing; data if the index names a tensor that its shard lacks, if two
// shards hold the same name, or if a shard's name leads out of the folder.
inline std::vector<safetensors_file> open_safetensors_folder(const std::filesystem::path& folder) {
  std::vector<safetensors_file> files;
  const auto single = folder / "model.safetensors";
  const auto index = folder / "model.safetensors.index.json";
  if (input_exists(single) || !input_exists(index)) {
    if (!input_exists(single)) {
      fail(status::no_input, folder.string(),
           ": has neither model.safetensors nor model.safetensors.index.json");
    }
    files.emplace_back(single);
    return files;
  }
  const json_document json = json_document::from_file(index, {.max_bytes = std::size_t{64} << 20});
  const json_view map = json.root().require("weight_map");
  std::map<std::string_view, std::size_t, std::less<>> names;        // tensor -> shard in `files`
  std::map<std::string_view, std::size_t, std::less<>> shard_index;  // shard -> place in `files`
  for (const auto& [key, value] : map.as_object()) {
    const json_view item(value, map.label(), cat("weight_map.", printable({key.data(), key.size()})));
    const std::string_view shard = item.as_string();
    if (shard_index.contains(shard)) continue;
    detail::check_shard_name(shard, item.place());
    if (!input_exists(folder / shard)) {
      fail(status::no_input, item.place(), "shard ", printable(shard),
           " is missing: the model is incomplete");
    }
    shard_index.emplace(shard, files.size());
    files.emplace_back(folder / shard);
  }
  for (std::size_t i = 0; i < files.size(); ++i) {
    for (const safetensors_tensor& tensor : files[i].tensors()) {
      if (!names.emplace(tensor.view.name, i).second) {
        fail(status::data, files[i].path(), ": tensor ", printable(tensor.view.name),
             " is in another shard too");
      }
    }
  }
  for (const auto& [key, value] : map.as_object()) {
    const auto found = names.find(std::string_view(key.data(), key.size()));
    if (found == names.end() ||
        found->second != shard_index.find(std::string_view(value.get_string()))->second) {
      fail(status::data, map.place(), "tensor ", printable({key.data(), key.size()}), " is not in its shard ",
           printable(value.get_string()));
    }
  }
  return files;
}

}  // namespace depthlens
