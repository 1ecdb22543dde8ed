// SPDX-License-Identifier: Apache-2.0
// The append-only log of one study and lens: what consume made of each record. A record is written once,
// whole, with a checksum; a torn tail, as a killed process leaves it, is cut off when the log is opened
// again, and damaged bytes are passed over, so that only the records they held are run again. CSVs are made
// from it in order of data set and record, so that they do not depend on the order of work. In memory it is
// 24 bytes for each record.
#pragma once

#include "log/log_entry.hpp"
#include "log/log_file.hpp"
#include "terminal/log.hpp"

#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace depthlens {

class record_log {
 public:
  using filter = std::function<bool(const record_key&)>;

  // Opens or creates the log, scans it and cuts a torn tail; `warn` gets a line where bytes are damaged.
  // Throws what log_file does. To read, nothing is created, cut or appended.
  explicit record_log(const std::filesystem::path& file,
                      const std::function<void(std::string_view)>& warn = log_warning,
                      log_access access = log_access::write);
  record_log(const record_log&) = delete;

  bool has(const record_key& key) const { return find(key) != nullptr; }
  std::size_t size() const;
  std::size_t size(const std::string& set) const;
  // Appends a finished payload with one write. Not thread-safe: one writer at a time.
  void append(const record_key& key, std::string_view payload);
  void sync() { file_.sync(); }
  // The key of a data set's n-th record by row number, n < size(set).
  record_key key(const std::string& set, std::size_t n) const {
    const place& p = sets_.at(set).at(n);
    return {set, p.index, p.hash};
  }

  // How many rows a record has, without reading them. Errors: as of get.
  std::uint32_t rows(const record_key& key) const;
  std::uint64_t bytes() const { return file_.size(); }  // on disk

  class reader;
  // The records that `wanted` accepts, in the order of `sets` and of the row numbers. The log outlives the
  // reader and is not appended to meanwhile.
  reader read(std::vector<std::string> sets, filter wanted) const;
  // One record. Errors: internal, if it is not there.
  std::unique_ptr<entry> get(const record_key& key) const;

 private:
  // A record of a data set: where its entry begins.
  struct place {
    std::uint64_t index, hash, at;
    auto operator<=>(const place&) const = default;
  };
  // Ascending. Pieces of a fixed size: a vector that grows would hold all places twice or three times for a
  // while.
  using places = std::deque<place>;

  void scan(const std::function<void(std::string_view)>& warn, log_access access);
  const place* find(const record_key& key) const;
  std::unique_ptr<entry> load(const place& p) const;

  log_file file_;
  std::map<std::string, places> sets_;
};

// Reads one record after the other; one is in memory at a time.
class record_log::reader {
 public:
  // The next record; null after the last. Where one cannot be read and this throws, the one behind it is
  // next.
  std::unique_ptr<entry> next();

 private:
  friend class record_log;
  reader(const record_log& log, std::vector<std::string> sets, filter wanted)
      : log_(log), sets_(std::move(sets)), wanted_(std::move(wanted)) {}

  const record_log& log_;
  std::vector<std::string> sets_;
  filter wanted_;
  std::size_t set_ = 0, at_ = 0;
};

}  // namespace depthlens
