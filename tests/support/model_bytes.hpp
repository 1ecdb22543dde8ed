// SPDX-License-Identifier: Apache-2.0
// Model files made in memory for the reader tests, good ones and broken ones, and a check for the one kind of
// failure the readers may show.
#pragma once

#include <boost/test/unit_test.hpp>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "depthlens/base/error.hpp"
#include "support/data_files.hpp"

namespace depthlens::test {

// Runs `action`; true if it throws depthlens::error with this status and a text that contains `part`.
template <class Action>
bool fails_with(status code, std::string_view part, Action&& action) {
  try {
    action();
  } catch (const error& e) {
    if (e.code() == code && std::string_view(e.what()).find(part) != std::string_view::npos) return true;
    BOOST_TEST_MESSAGE("got status " << static_cast<int>(e.code()) << ": " << e.what());
    return false;
  }
  BOOST_TEST_MESSAGE("nothing was thrown");
  return false;
}

// Little-endian bytes.
class byte_writer {
 public:
  template <class T>
  byte_writer& put(T value) {
    const std::size_t at = bytes_.size();
    bytes_.resize(at + sizeof value);
    std::memcpy(bytes_.data() + at, &value, sizeof value);
    return *this;
  }
  byte_writer& raw(std::string_view text) {
    const auto* p = reinterpret_cast<const std::byte*>(text.data());
    bytes_.insert(bytes_.end(), p, p + text.size());
    return *this;
  }
  byte_writer& string(std::string_view text) { return put(std::uint64_t{text.size()}).raw(text); }
  byte_writer& raw(const byte_writer& other) {
    bytes_.insert(bytes_.end(), other.bytes_.begin(), other.bytes_.end());
    return *this;
  }
  byte_writer& pad(std::size_t to) {
    while (bytes_.size() % to != 0) bytes_.push_back(std::byte{0});
    return *this;
  }
  byte_writer& zeros(std::size_t n) {
    bytes_.resize(bytes_.size() + n);
    return *this;
  }
  std::span<const std::byte> bytes() const { return bytes_; }
  std::size_t size() const { return bytes_.size(); }

 private:
  std::vector<std::byte> bytes_;
};

// A GGUF file from its parts; the counts may lie.
struct gguf_parts {
  std::uint32_t version = 3;
  std::uint64_t n_tensors = 0;
  std::uint64_t n_entries = 0;
  byte_writer entries;
  byte_writer tensors;
  byte_writer data;

  // The key and the type of an entry; its value is put by the caller.
  byte_writer& entry(std::string_view key, std::uint32_t type) {
    ++n_entries;
    return entries.string(key).put(type);
  }
  gguf_parts& u32(std::string_view key, std::uint32_t value) {
    entry(key, 4).put(value);
    return *this;
  }
  gguf_parts& f32(std::string_view key, float value) {
    entry(key, 6).put(value);
    return *this;
  }
  gguf_parts& text(std::string_view key, std::string_view value) {
    entry(key, 8).string(value);
    return *this;
  }
  // Dimensions as the file has them: the contiguous one first.
  gguf_parts& info(std::string_view name, const std::vector<std::uint64_t>& ne, std::uint32_t type,
                   std::uint64_t offset) {
    ++n_tensors;
    tensors.string(name).put(static_cast<std::uint32_t>(ne.size()));
    for (const std::uint64_t n : ne) tensors.put(n);
    tensors.put(type).put(offset);
    return *this;
  }
  // An F32 tensor whose data follows what is there, value i being i + 1.
  gguf_parts& tensor(std::string_view name, const std::vector<std::uint64_t>& ne) {
    info(name, ne, 0, data.size());
    std::uint64_t n = 1;
    for (const std::uint64_t d : ne) n *= d;
    for (std::uint64_t i = 0; i < n; ++i) data.put(static_cast<float>(i + 1));
    data.pad(32);
    return *this;
  }
  byte_writer file(std::size_t alignment = 32) const {
    byte_writer out;
    out.raw("GGUF").put(version).put(n_tensors).put(n_entries).raw(entries).raw(tensors).pad(alignment).raw(
        data);
    return out;
  }
};

// A safetensors file: header text and data.
inline byte_writer safetensors_bytes(std::string_view header, std::size_t data_bytes) {
  byte_writer out;
  out.string(header).zeros(data_bytes);
  return out;
}

inline std::string_view text_of(const byte_writer& bytes) {
  return {reinterpret_cast<const char*>(bytes.bytes().data()), bytes.size()};
}

// Writes a file below the folder, with the folders on its way, and returns its path.
inline std::filesystem::path write_below(const scratch_folder& folder, const std::string& name,
                                         std::string_view text) {
  std::filesystem::create_directories((folder.path() / name).parent_path());
  return folder.write(name, text);
}

}  // namespace depthlens::test
