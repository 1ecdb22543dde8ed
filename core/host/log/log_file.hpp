// SPDX-License-Identifier: Apache-2.0
// The file of a record log: a line "depthlens log 1\n", then entries: u32 length of the payload, u64 XXH3 of
// the payload, payload. What a payload holds is log_entry.hpp; log_scan finds the whole entries of a file of
// which a part may be damaged.
#pragma once

#include "log/log_entry.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace depthlens {

enum class log_access { write, read };

// One writer at a time; not thread-safe.
class log_file {
 public:
  static constexpr std::uint64_t begin = 16;  // of the first entry: the length of the first line
  static constexpr std::uint64_t head = 12;   // bytes of an entry in front of its payload
  static constexpr std::uint32_t longest_payload = 1u << 30;

  // Opens or creates the file; to read, one that is there, in which nothing is changed. Errors:
  // cannot_create, no_input, io; config, if it is some other file.
  explicit log_file(const std::filesystem::path& file, log_access access = log_access::write);
  ~log_file();
  log_file(const log_file&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::uint64_t size() const { return size_; }
  // Appends an entry with one write and returns where it begins. Errors: io; then the file is as before.
  std::uint64_t append(std::string_view payload);
  // The payload of the entry at a place. Errors: io, if it cannot be read or is not what was written.
  std::string payload(std::uint64_t at) const;
  // Fills `out` from the bytes at a place, which all lie in the file.
  void read(std::uint64_t at, char* out, std::size_t n) const;
  void cut(std::uint64_t size);
  void sync();

 private:
  void write(std::string_view bytes);
  void start(log_access access);

  std::filesystem::path path_;
  int fd_ = -1;
  std::uint64_t size_ = 0;
};

// Goes through a log from front to back. Where the bytes are no whole entry it goes on with the next that is
// one: at the place where the damaged one says that it ends, else at the first place behind it that holds an
// entry with the right checksum. Memory: 64 KiB. Every byte is looked at once, but for the checksums of what
// only looks like an entry: at most 4 GiB of those are made, then the rest counts as damaged.
class log_scan {
 public:
  explicit log_scan(const log_file& file);

  struct found {
    std::uint64_t at;
    record_key key;
  };
  std::optional<found> next();

  // Of what lies between entries so far.
  std::uint64_t damaged_bytes() const { return damaged_bytes_; }
  std::uint64_t damaged_places() const { return damaged_places_; }
  // Once next() has given nothing: the end of the last entry, and whether more lies behind it than the
  // beginning of one entry, as a killed process leaves it: that is not longer than 64 KiB or another entry.
  std::uint64_t end() const { return end_; }
  bool damaged_end();

 private:
  std::string_view view(std::uint64_t at, std::size_t n);
  std::uint64_t sum_of(std::uint64_t at, std::uint64_t length);
  std::uint64_t stated_end(std::uint64_t at);
  std::optional<found> whole(std::uint64_t at);
  std::optional<found> search();

  const log_file& file_;
  std::uint64_t end_ = log_file::begin;
  std::uint64_t longest_ = 0;  // of the entries, in bytes
  std::uint64_t damaged_bytes_ = 0, damaged_places_ = 0;
  std::uint64_t effort_ = 0, search_effort_ = 0;  // bytes read and summed: lately, and in all searches before
  bool gave_up_ = false;
  std::uint64_t buffer_at_ = 0;
  std::size_t buffered_ = 0;
  std::vector<char> buffer_;
};

}  // namespace depthlens
