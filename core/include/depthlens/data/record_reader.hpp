// SPDX-License-Identifier: Apache-2.0
// The interface of all data readers: records one after the other, in the order of the file.
// Opening a file, and which reader takes it, is data/reader.hpp.
#pragma once

#include <depthlens/data/record.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <utility>

namespace depthlens {

// One file, one thread. Errors are depthlens::error with "FILE:LINE: ..."; they end the reading.
class record_reader {
 public:
  virtual ~record_reader() = default;
  // Fills `out` with the next record, whole or left out; false after the last.
  virtual bool next(record& out) = 0;
};

// The records of another reader, those that are left out behind all whole ones and numbered on from them: the
// number of a whole record does not depend on what else is in the file. Where there are some, the file is
// read twice, so that none is held in memory.
class left_out_last final : public record_reader {
 public:
  using opener = std::function<std::unique_ptr<record_reader>()>;
  explicit left_out_last(opener open) : open_(std::move(open)), reader_(open_()) {}

  bool next(record& out) override {
    for (;;) {
      if (!reader_->next(out)) {
        if (second_pass_ || !some_) return false;
        second_pass_ = true;
        reader_ = open_();
        continue;
      }
      some_ = some_ || !out.left_out.empty();
      if (out.left_out.empty() == second_pass_) continue;
      out.index = index_++;
      return true;
    }
  }

 private:
  opener open_;
  std::unique_ptr<record_reader> reader_;
  bool second_pass_ = false, some_ = false;
  std::uint64_t index_ = 0;
};

}  // namespace depthlens
