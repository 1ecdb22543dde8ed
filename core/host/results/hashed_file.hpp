// SPDX-License-Identifier: Apache-2.0
// A file that appears when it is complete (base/atomic_file.hpp), with the size and the SHA-256 of what was
// written into it.
#pragma once

#include "depthlens/base/atomic_file.hpp"
#include "depthlens/base/hash.hpp"

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace depthlens {

struct file_digest {
  std::uint64_t size = 0;
  std::string sha256;
  bool operator==(const file_digest&) const = default;
};

class hashed_file {
 public:
  explicit hashed_file(const std::filesystem::path& path) : file_(path) { buffer_.reserve(bytes_at_once); }

  void write(std::string_view bytes) {
    buffer_ += bytes;
    if (buffer_.size() >= bytes_at_once) flush();
  }
  file_digest commit() {
    flush();
    file_.commit();
    return {size_, hash_.finish()};
  }

 private:
  static constexpr std::size_t bytes_at_once = 65536;  // rows are short, and each call of the hash costs

  void flush() {
    hash_.update(buffer_);
    file_.write(buffer_);
    size_ += buffer_.size();
    buffer_.clear();
  }

  atomic_file file_;
  sha256_stream hash_;
  std::uint64_t size_ = 0;
  std::string buffer_;
};

}  // namespace depthlens
