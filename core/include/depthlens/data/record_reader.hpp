// SPDX-License-Identifier: Apache-2.0
// The interface of all data readers: records one after the other, in the order of the file.
// Opening a file, and which reader takes it, is data/reader.hpp.
#pragma once

#include <depthlens/data/record.hpp>

#include <cstdint>

namespace depthlens {

// One file, one thread. Errors are depthlens::error with "FILE:LINE: ..."; they end the reading.
class record_reader {
 public:
  virtual ~record_reader() = default;
  // Fills `out` with the next record; false after the last.
  virtual bool next(record& out) = 0;
  // How many inputs gave no record so far: hops without text, short paragraphs.
  virtual std::uint64_t skipped() const { return 0; }
};

}  // namespace depthlens
