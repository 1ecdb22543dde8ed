// SPDX-License-Identifier: Apache-2.0
// The append-only log of one study and lens: what consume made of each record. A record is written once, whole, with
// a checksum; a torn tail, as a killed process leaves it, is cut off when the log is opened again. CSVs are made from
// it in order of data set and record, so that they do not depend on the order of work.
//
// File: a line "depthlens log 1\n", then entries: u32 length of the payload, u64 XXH3 of the payload, payload.
#pragma once

#include "depthlens/abi/types.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
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
  std::string take();  // the finished payload

 private:
  std::string head_, rows_, counts_;
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

 private:
  std::string payload_;
  record_key key_;
  std::vector<logged_row> rows_;
  std::vector<counted> counts_;
};

class record_log {
 public:
  // Opens or creates the log, scans it and cuts a torn tail. Throws status::cannot_create or status::io.
  explicit record_log(const std::filesystem::path& file);
  ~record_log();
  record_log(const record_log&) = delete;

  bool has(const record_key& key) const { return index_.contains(key); }
  std::size_t size() const { return index_.size(); }
  // Appends a finished payload with one write. Not thread-safe: one writer at a time.
  void append(const record_key& key, std::string_view payload);
  void sync();
  // Calls fn for each record that `wanted` accepts, in the order of `sets` and of the row numbers.
  void each(const std::vector<std::string>& sets, const std::function<bool(const record_key&)>& wanted,
            const std::function<void(const entry&)>& fn) const;
  // Keys of such records, in the same order, and one record by its key.
  std::vector<record_key> keys(const std::vector<std::string>& sets,
                               const std::function<bool(const record_key&)>& wanted) const;
  std::unique_ptr<entry> get(const record_key& key) const;

 private:
  struct place {
    std::uint64_t offset;
    std::uint32_t length;
  };
  void scan();
  std::string read(const place& p) const;

  std::filesystem::path file_;
  int fd_ = -1;
  std::uint64_t end_ = 0;
  std::map<record_key, place> index_;
};

}  // namespace depthlens
