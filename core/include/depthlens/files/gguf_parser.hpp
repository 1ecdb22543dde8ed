// SPDX-License-Identifier: Apache-2.0
// Reads the bytes of a GGUF file into entries and tensors (see gguf.hpp, which owns them and gives typed
// access). Limits that the format leaves open: 4 dimensions, names of 64 bytes, keys of 65535 bytes,
// alignment a power of two up to 1 MiB, tensors that follow each other without gaps beyond the alignment.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <numeric>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "depthlens/base/checked.hpp"
#include "depthlens/base/error.hpp"
#include "depthlens/base/mapped_file.hpp"
#include "depthlens/base/text.hpp"
#include "depthlens/files/gguf_types.hpp"

namespace depthlens::detail {

struct gguf_content {
  std::uint32_t version = 0;
  std::uint64_t alignment = 32;
  std::uint64_t data_offset = 0;
  std::vector<gguf_entry> entries;
  std::vector<gguf_tensor> tensors;
  std::vector<std::uint32_t>
      entries_by_key;  // indices sorted by name: no hash an attacker could make collide
  std::vector<std::uint32_t> tensors_by_name;
};

inline std::string_view name_of(const gguf_entry& entry) noexcept { return entry.key; }
inline std::string_view name_of(const gguf_tensor& tensor) noexcept { return tensor.view.name; }

template <class T>
std::vector<std::uint32_t> sort_by_name(const std::vector<T>& items) {
  std::vector<std::uint32_t> order(items.size());
  std::iota(order.begin(), order.end(), 0u);
  std::sort(order.begin(), order.end(),
            [&](std::uint32_t a, std::uint32_t b) { return name_of(items[a]) < name_of(items[b]); });
  return order;
}

template <class T>
const T* find_sorted(const std::vector<T>& items, const std::vector<std::uint32_t>& order,
                     std::string_view name) noexcept {
  const auto at =
      std::lower_bound(order.begin(), order.end(), name,
                       [&](std::uint32_t i, std::string_view n) { return name_of(items[i]) < n; });
  return at != order.end() && name_of(items[*at]) == name ? &items[*at] : nullptr;
}

class gguf_parser {
 public:
  gguf_parser(std::span<const std::byte> bytes, std::string_view label) : bytes_(bytes), in_(bytes, label) {}

  gguf_content parse() {
    const auto [n_tensors, n_entries] = read_header();
    out_.entries.reserve(n_entries);
    for (std::size_t i = 0; i < n_entries; ++i) out_.entries.push_back(read_entry());
    out_.entries_by_key = index_names(out_.entries, "metadata key");
    read_alignment();
    out_.tensors.reserve(n_tensors);
    for (std::size_t i = 0; i < n_tensors; ++i) out_.tensors.push_back(read_tensor());
    out_.tensors_by_name = index_names(out_.tensors, "tensor name");
    place_tensors();
    return std::move(out_);
  }

 private:
  static constexpr std::uint64_t max_alignment = 1u << 20;
  static constexpr std::size_t min_entry_bytes = 8 + 1 + 4 + 1;
  static constexpr std::size_t min_tensor_bytes = 8 + 1 + 4 + 4 + 8;

  // Returns the counts of tensors and entries.
  std::pair<std::size_t, std::size_t> read_header() {
    const auto magic = in_.take(4, "the GGUF header");
    if (std::memcmp(magic.data(), "GGUF", 4) != 0) {
      fail(status::data, in_.label(), ": not a GGUF file: it does not start with \"GGUF\"");
    }
    out_.version = in_.u32("the version");
    if (out_.version != 0 && (out_.version & 0xffffu) == 0) {
      in_.fail_here("the file is big endian, only little endian GGUF is supported");
    }
    if (out_.version == 1) in_.fail_here("GGUF version 1 is not supported, convert the file to version 3");
    if (out_.version != 2 && out_.version != 3) {
      in_.fail_here("GGUF version ", out_.version, ", only 2 and 3 are known");
    }
    const std::uint64_t n_tensors = in_.u64("the tensor count");
    const std::uint64_t n_entries = in_.u64("the metadata count");
    check_count(n_tensors, min_tensor_bytes, "tensors");
    check_count(n_entries, min_entry_bytes, "metadata entries");
    return {static_cast<std::size_t>(n_tensors), static_cast<std::size_t>(n_entries)};
  }

  // Indices are 32 bits wide, and n items need at least n * bytes_each of what is left.
  void check_count(std::uint64_t n, std::size_t bytes_each, const char* what) const {
    if (n > in_.remaining() / bytes_each || n > 0xffffffffu) {
      in_.fail_here(n, " ", what, " do not fit in the ", in_.remaining(), " bytes left: the file is corrupt");
    }
  }

  gguf_entry read_entry() {
    gguf_entry entry;
    entry.key = in_.string("a metadata key", 65535);
    if (entry.key.empty()) in_.fail_here("an empty metadata key");
    const gguf_type type = read_type(entry.key);
    entry.value.type = type;
    if (type == gguf_type::array) {
      entry.value.data = read_array(entry.key);
    } else if (type == gguf_type::string) {
      entry.value.data = in_.string("a metadata string");
    } else {
      read_scalar(type, entry);
    }
    return entry;
  }

  gguf_type read_type(std::string_view key) {
    const std::uint32_t raw = in_.u32("a metadata type");
    if (raw > static_cast<std::uint32_t>(gguf_type::f64)) {
      in_.fail_here("metadata key ", printable(key), " has unknown type number ", raw);
    }
    return static_cast<gguf_type>(raw);
  }

  void read_scalar(gguf_type type, gguf_entry& entry) {
    auto& data = entry.value.data;
    constexpr std::string_view what = "a metadata value";
    switch (type) {
      case gguf_type::u8:
        data = std::uint64_t{in_.u8(what)};
        break;
      case gguf_type::i8:
        data = std::int64_t{in_.scalar<std::int8_t>(what)};
        break;
      case gguf_type::u16:
        data = std::uint64_t{in_.u16(what)};
        break;
      case gguf_type::i16:
        data = std::int64_t{in_.scalar<std::int16_t>(what)};
        break;
      case gguf_type::u32:
        data = std::uint64_t{in_.u32(what)};
        break;
      case gguf_type::i32:
        data = std::int64_t{in_.scalar<std::int32_t>(what)};
        break;
      case gguf_type::u64:
        data = in_.u64(what);
        break;
      case gguf_type::i64:
        data = in_.scalar<std::int64_t>(what);
        break;
      case gguf_type::f32:
        data = double{in_.f32(what)};
        break;
      case gguf_type::f64:
        data = in_.f64(what);
        break;
      case gguf_type::boolean:
        data = check_bool(in_.u8(what), entry.key);
        break;
      case gguf_type::string:
      case gguf_type::array:
        break;
    }
  }

  bool check_bool(std::uint8_t byte, std::string_view key) const {
    if (byte > 1) in_.fail_here("bool ", printable(key), " is ", int{byte}, ", expected 0 or 1");
    return byte == 1;
  }

  gguf_array read_array(std::string_view key) {
    gguf_array array;
    array.type = read_type(key);
    const std::uint64_t n = in_.u64("an array length");
    if (array.type == gguf_type::array)
      in_.fail_here("array ", printable(key), " of arrays is not supported");
    const bool is_text = array.type == gguf_type::string;
    check_count(n, is_text ? 8 : gguf_type_size(array.type), "array elements");
    array.count = static_cast<std::size_t>(n);
    if (is_text) {
      array.strings.reserve(array.count);
      for (std::size_t i = 0; i < array.count; ++i) array.strings.push_back(in_.string("an array string"));
      return array;
    }
    const auto data = in_.take(n * gguf_type_size(array.type), "an array");
    array.data = data.data();
    if (array.type == gguf_type::boolean) {
      for (const std::byte b : data) check_bool(static_cast<std::uint8_t>(b), key);
    }
    return array;
  }

  void read_alignment() {
    const auto* entry = find_sorted(out_.entries, out_.entries_by_key, "general.alignment");
    if (entry == nullptr) return;
    const auto* number = std::get_if<std::uint64_t>(&entry->value.data);
    if (entry->value.type != gguf_type::u32 || number == nullptr) {
      in_.fail_here("general.alignment is of type ", gguf_type_name(entry->value.type), ", expected u32");
    }
    if (!std::has_single_bit(*number) || *number > max_alignment) {
      in_.fail_here("general.alignment is ", *number, ", expected a power of two up to ", max_alignment);
    }
    out_.alignment = *number;
  }

  gguf_tensor read_tensor() {
    gguf_tensor tensor;
    const std::string_view name = in_.string("a tensor name", 64);
    if (name.empty()) in_.fail_here("an empty tensor name");
    tensor.view.name = std::string(name);
    const std::uint32_t n_dims = in_.u32("a dimension count");
    if (n_dims > 4)
      in_.fail_here("tensor ", printable(name), " has ", n_dims, " dimensions, at most 4 are allowed");
    tensor.view.shape.resize(n_dims);
    // The file stores the contiguous dimension first, a view has it last.
    for (std::uint32_t i = 0; i < n_dims; ++i) tensor.view.shape[n_dims - 1 - i] = in_.u64("a dimension");
    tensor.raw_type = in_.u32("a tensor type");
    tensor.offset = in_.u64("a tensor offset");
    measure(tensor);
    return tensor;
  }

  // Type and size in bytes.
  void measure(gguf_tensor& tensor) const {
    tensor_view& view = tensor.view;
    const auto where = [&] {
      return cat(in_.label(), ": offset ", in_.offset(), ": size of tensor ", printable(view.name));
    };
    const gguf_block_type* type = find_gguf_block_type(tensor.raw_type);
    if (type == nullptr) {
      in_.fail_here("tensor ", printable(view.name), " has unknown or withdrawn type number ",
                    tensor.raw_type);
    }
    tensor.type_name = type->name;
    view.type = type->type;
    std::uint64_t values = 1;
    for (const std::uint64_t n : view.shape) {
      if (n == 0) in_.fail_here("tensor ", printable(view.name), " has a dimension of 0");
      values = checked_mul(values, n, where);
    }
    const std::uint64_t row = view.shape.empty() ? 1 : view.shape.back();
    if (row % type->values != 0) {
      in_.fail_here("tensor ", printable(view.name), ": rows of ", row, " values do not fill whole ",
                    type->name, " blocks of ", type->values);
    }
    view.bytes = checked_narrow<std::size_t>(checked_mul(values / type->values, type->bytes, where), where);
  }

  // Checks that the tensors lie one after the other, each at the next aligned offset, and that together they
  // fill the rest of the file (the padding after the last may be missing): no overlap, no hidden bytes.
  void place_tensors() {
    const auto where = [&] { return cat(in_.label(), ": offset of the tensor data"); };
    const std::uint64_t size = bytes_.size();
    out_.data_offset = checked_align(std::uint64_t{in_.offset()}, out_.alignment, where);
    std::vector<std::uint32_t> order(out_.tensors.size());
    std::iota(order.begin(), order.end(), 0u);
    std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
      return out_.tensors[a].offset < out_.tensors[b].offset;
    });
    std::uint64_t end = out_.tensors.empty() ? std::min(out_.data_offset, size) : out_.data_offset;
    for (const std::uint32_t i : order) {
      gguf_tensor& tensor = out_.tensors[i];
      const std::uint64_t expected = checked_align(end, out_.alignment, where) - out_.data_offset;
      if (tensor.offset != expected) {
        fail(status::data, in_.label(), ": tensor ", printable(tensor.view.name), " starts at data offset ",
             tensor.offset, ", expected ", expected, ": tensors overlap or leave a gap");
      }
      const std::uint64_t begin = checked_add(out_.data_offset, tensor.offset, where);
      if (begin > size || tensor.view.bytes > size - begin) {
        fail(status::data, in_.label(), ": tensor ", printable(tensor.view.name), " needs ",
             tensor.view.bytes, " bytes from offset ", begin, ", but the file ends at ", size,
             ": it is truncated or corrupt");
      }
      tensor.view.data = bytes_.data() + begin;
      end = begin + tensor.view.bytes;
    }
    if (size > checked_align(end, out_.alignment, where)) {
      fail(status::data, in_.label(), ": ", size - end, " bytes after the last tensor, which ends at offset ",
           end, ": the file is corrupt");
    }
  }

  template <class T>
  std::vector<std::uint32_t> index_names(const std::vector<T>& items, const char* what) const {
    std::vector<std::uint32_t> order = sort_by_name(items);
    for (std::size_t i = 1; i < order.size(); ++i) {
      if (name_of(items[order[i - 1]]) == name_of(items[order[i]])) {
        in_.fail_here(what, " ", printable(name_of(items[order[i]])), " occurs twice");
      }
    }
    return order;
  }

  std::span<const std::byte> bytes_;
  byte_cursor in_;
  gguf_content out_;
};

}  // namespace depthlens::detail
