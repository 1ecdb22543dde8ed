// SPDX-License-Identifier: Apache-2.0
// GGUF (versions 2 and 3, little endian): metadata and tensors of a model file, read in place and in time
// linear in the file. Every count, length and offset is checked against the bytes that are really there
// before it is used, so a hostile file costs no more memory than a small multiple of its own size. What the
// keys mean for a model is architecture.hpp, which tensors belong to it is model_files.hpp.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "depthlens/base/error.hpp"
#include "depthlens/base/mapped_file.hpp"
#include "depthlens/base/text.hpp"
#include "depthlens/files/gguf_parser.hpp"
#include "depthlens/files/gguf_types.hpp"

namespace depthlens {

// All views (keys, strings, tensor data) point into the file and live as long as this object, moved or not.
// The getters: find_x is empty if the key is absent, require_x is an error then; a value of another type, or
// out of range, is always an error that names file and key. Integer getters take any integer type that holds
// the number. Thread-safe once constructed.
class gguf_file {
 public:
  // Maps and reads `path`. Errors: those of mapped_file, and status::data for anything wrong in the file.
  explicit gguf_file(const std::filesystem::path& path) : file_(path), label_(file_.path()) {
    content_ = detail::gguf_parser(file_.bytes(), label_).parse();
  }

  // Reads bytes that the caller keeps alive; `label` stands for the file name in errors.
  gguf_file(std::span<const std::byte> bytes, std::string label) : label_(std::move(label)) {
    content_ = detail::gguf_parser(bytes, label_).parse();
  }

  const std::string& path() const noexcept { return label_; }
  void forget_pages() const noexcept { file_.forget_pages(); }  // see mapped_file
  void require_unchanged() const { file_.require_unchanged(); }
  std::uint32_t version() const noexcept { return content_.version; }
  std::uint64_t alignment() const noexcept { return content_.alignment; }
  std::uint64_t data_offset() const noexcept { return content_.data_offset; }
  std::span<const gguf_entry> entries() const noexcept { return content_.entries; }  // in file order
  std::span<const gguf_tensor> tensors() const noexcept { return content_.tensors; }

  // Null if absent.
  const gguf_value* find(std::string_view key) const noexcept {
    const auto* entry = detail::find_sorted(content_.entries, content_.entries_by_key, key);
    return entry == nullptr ? nullptr : &entry->value;
  }
  // Reads the metadata as if it had no such key; false where it has none. Not while others read.
  bool remove(std::string_view key) {
    const auto at = std::find_if(content_.entries_by_key.begin(), content_.entries_by_key.end(),
                                 [&](std::uint32_t i) { return content_.entries[i].key == key; });
    if (at == content_.entries_by_key.end()) return false;
    const std::uint32_t entry = *at;
    content_.entries_by_key.erase(at);
    content_.entries.erase(content_.entries.begin() + entry);
    for (std::uint32_t& i : content_.entries_by_key) i -= i > entry ? 1 : 0;
    return true;
  }
  const gguf_tensor* find_tensor(std::string_view name) const noexcept {
    return detail::find_sorted(content_.tensors, content_.tensors_by_name, name);
  }

  std::optional<std::uint32_t> find_u32(std::string_view key) const {
    return find_integer<std::uint32_t>(key);
  }
  // One number, or a list of the same number for each layer, as some converters write it.
  std::optional<std::uint32_t> find_same_u32(std::string_view key) const {
    const gguf_value* value = find(key);
    if (value == nullptr || !std::holds_alternative<gguf_array>(value->data)) return find_u32(key);
    const std::vector<std::int64_t> each = *find_ints(key);
    for (const std::int64_t n : each)
      if (n != each[0])
        fail(status::data, label_, ": ", printable(key), " is ", each[0], " in one layer and ", n,
             " in another: only models whose layers are alike are supported");
    if (each.empty()) return std::nullopt;
    if (!std::in_range<std::uint32_t>(each[0]))
      fail(status::data, label_, ": ", printable(key), " = ", each[0], " is out of range");
    return static_cast<std::uint32_t>(each[0]);
  }
  std::optional<std::uint64_t> find_u64(std::string_view key) const {
    return find_integer<std::uint64_t>(key);
  }
  std::optional<std::int64_t> find_i64(std::string_view key) const { return find_integer<std::int64_t>(key); }

  // f32 or f64.
  std::optional<double> find_float(std::string_view key) const { return find_exact<double>(key, "a float"); }
  std::optional<bool> find_bool(std::string_view key) const { return find_exact<bool>(key, "a bool"); }
  std::optional<std::string_view> find_string(std::string_view key) const {
    return find_exact<std::string_view>(key, "a string");
  }

  // Arrays. The strings are views into the file; the span itself lives as long as this object.
  std::optional<std::span<const std::string_view>> find_strings(std::string_view key) const {
    const gguf_array* array = find_array(key, "an array of strings");
    if (array == nullptr) return std::nullopt;
    if (array->type != gguf_type::string) fail_type(key, "an array of strings", *array);
    return std::span<const std::string_view>(array->strings);
  }
  std::optional<std::vector<std::int64_t>> find_ints(std::string_view key) const {
    return find_numbers<std::int64_t>(key, "an array of integers");
  }
  std::optional<std::vector<float>> find_floats(std::string_view key) const {
    return find_numbers<float>(key, "an array of f32");
  }
  std::optional<std::vector<bool>> find_bools(std::string_view key) const {
    const gguf_array* array = find_array(key, "an array of bools");
    if (array == nullptr) return std::nullopt;
    if (array->type != gguf_type::boolean) fail_type(key, "an array of bools", *array);
    std::vector<bool> out(array->count);
    for (std::size_t i = 0; i < array->count; ++i) out[i] = array->data[i] != std::byte{0};
    return out;
  }

  std::uint32_t require_u32(std::string_view key) const { return require(find_u32(key), key); }
  std::uint64_t require_u64(std::string_view key) const { return require(find_u64(key), key); }
  double require_float(std::string_view key) const { return require(find_float(key), key); }
  bool require_bool(std::string_view key) const { return require(find_bool(key), key); }
  std::string_view require_string(std::string_view key) const { return require(find_string(key), key); }
  std::span<const std::string_view> require_strings(std::string_view key) const {
    return require(find_strings(key), key);
  }

 private:
  template <class T>
  T require(std::optional<T> value, std::string_view key) const {
    if (!value) fail(status::data, label_, ": metadata key ", printable(key), " is missing");
    return *std::move(value);
  }

  template <std::integral T>
  std::optional<T> find_integer(std::string_view key) const {
    const gguf_value* value = find(key);
    if (value == nullptr) return std::nullopt;
    const auto fits = [&](auto number) {
      if (!std::in_range<T>(number))
        fail(status::data, label_, ": ", printable(key), " = ", number, " is out of range");
      return static_cast<T>(number);
    };
    if (const auto* u = std::get_if<std::uint64_t>(&value->data)) return fits(*u);
    if (const auto* i = std::get_if<std::int64_t>(&value->data)) return fits(*i);
    fail_type(key, "an integer", *value);
  }

  template <class T>
  std::optional<T> find_exact(std::string_view key, const char* wanted) const {
    const gguf_value* value = find(key);
    if (value == nullptr) return std::nullopt;
    if (const T* out = std::get_if<T>(&value->data)) return *out;
    fail_type(key, wanted, *value);
  }

  const gguf_array* find_array(std::string_view key, const char* wanted) const {
    const gguf_value* value = find(key);
    if (value == nullptr) return nullptr;
    if (const auto* array = std::get_if<gguf_array>(&value->data)) return array;
    fail_type(key, wanted, *value);
  }

  template <class T>
  std::optional<std::vector<T>> find_numbers(std::string_view key, const char* wanted) const {
    const gguf_array* array = find_array(key, wanted);
    if (array == nullptr) return std::nullopt;
    std::vector<T> out;
    const auto unpack = [&]<class Stored>(Stored) {
      out.resize(array->count);
      for (std::size_t i = 0; i < array->count; ++i) {
        Stored number;
        std::memcpy(&number, array->data + i * sizeof(Stored), sizeof number);
        if constexpr (std::integral<T>) {
          if (!std::in_range<T>(number))
            fail(status::data, label_, ": ", printable(key), ": element ", i, " is too large");
        }
        out[i] = static_cast<T>(number);
      }
      return out;
    };
    if constexpr (std::floating_point<T>) {
      if (array->type == gguf_type::f32) return unpack(float{});
    } else {
      switch (array->type) {
        case gguf_type::u8:
          return unpack(std::uint8_t{});
        case gguf_type::i8:
          return unpack(std::int8_t{});
        case gguf_type::u16:
          return unpack(std::uint16_t{});
        case gguf_type::i16:
          return unpack(std::int16_t{});
        case gguf_type::u32:
          return unpack(std::uint32_t{});
        case gguf_type::i32:
          return unpack(std::int32_t{});
        case gguf_type::u64:
          return unpack(std::uint64_t{});
        case gguf_type::i64:
          return unpack(std::int64_t{});
        default:
          break;
      }
    }
    fail_type(key, wanted, *array);
  }

  [[noreturn]] void fail_type(std::string_view key, const char* wanted, const gguf_value& found) const {
    fail(status::data, label_, ": ", printable(key), " is of type ", gguf_type_name(found.type),
         ", expected ", wanted);
  }
  [[noreturn]] void fail_type(std::string_view key, const char* wanted, const gguf_array& found) const {
    fail(status::data, label_, ": ", printable(key), " is an array of ", gguf_type_name(found.type),
         ", expected ", wanted);
  }

  mapped_file file_;
  std::string label_;
  detail::gguf_content content_;
};

}  // namespace depthlens
