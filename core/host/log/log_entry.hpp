// SPDX-License-Identifier: Apache-2.0
// What the log keeps of one record, as bytes: its key, the rows that consume made of it and what it counted.
// How the entries lie in the file is log_file.hpp.
#pragma once

#include "depthlens/abi/types.h"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace depthlens {

// What a record was: its data set, its row number there and its content.
struct record_key {
  std::string set;
  std::uint64_t index = 0;
  std::uint64_t hash = 0;
  auto operator<=>(const record_key&) const = default;
};

// The key at the start of a payload of entry_writer; nothing where `payload`, which may be cut short behind
// the key, begins otherwise.
std::optional<record_key> key_of_payload(std::string_view payload);
// The number of its rows; likewise.
std::optional<std::uint32_t> rows_of_payload(std::string_view payload);
// No payload is shorter: an empty data set, no rows, no counts, no device.
inline constexpr std::uint32_t shortest_payload = 28;

// A row as consume appended it. Texts view into the buffer it was read from.
struct logged_row {
  std::string_view table;
  std::vector<dlens_value> values;
};

// Serialises one record's rows and counts.
class entry_writer {
 public:
  explicit entry_writer(const record_key& key);
  void row(std::string_view table, const dlens_value* values, std::size_t n);
  void count(std::string_view set, std::string_view reason, std::uint64_t n);
  // On which device its readings were computed, "" = there are none. Kept where it was called.
  void device(std::string_view text) { device_ = text; }
  std::string take();  // the finished payload

 private:
  std::string head_, rows_, counts_;
  std::optional<std::string> device_;
  std::uint32_t n_rows_ = 0, n_counts_ = 0;
};

// One record read back; views live as long as it does.
class entry {
 public:
  // `file` is where the payload comes from. Errors: data, if it is no payload of entry_writer.
  entry(std::string payload, const std::filesystem::path& file);
  entry(entry&&) = delete;
  const record_key& key() const { return key_; }
  const std::vector<logged_row>& rows() const { return rows_; }
  struct counted {
    std::string_view set, reason;
    std::uint64_t n;
  };
  const std::vector<counted>& counts() const { return counts_; }
  // "" = nothing was computed for the record. Nothing where the entry names no device: it is optional.
  const std::optional<std::string_view>& device() const { return device_; }

 private:
  std::string payload_;
  record_key key_;
  std::vector<logged_row> rows_;
  std::vector<counted> counts_;
  std::optional<std::string_view> device_;
};

}  // namespace depthlens
