// SPDX-License-Identifier: Apache-2.0
// The host's file on its way (abi/tables.h) as a stream of Arrow. It keeps why the host took no more bytes,
// which Arrow has no words for, and takes none itself from then on: Arrow ends files that it gives up.
#pragma once

#include "depthlens/abi/tables.h"
#include "depthlens/base/abi_error.hpp"

#include <arrow/buffer.h>
#include <arrow/io/interfaces.h>
#include <arrow/status.h>

#include <cstdint>

namespace depthlens::arrow_tables {

class host_output final : public arrow::io::OutputStream {
 public:
  // `to` outlives it.
  explicit host_output(const dlens_output& to) : to_(to) {
    set_mode(arrow::io::FileMode::WRITE);
    error_.size = sizeof error_;
  }

  using arrow::io::OutputStream::Write;
  arrow::Status Write(const void* bytes, std::int64_t n) override {
    if (refused_ != DLENS_OK) return arrow::Status::IOError("the file was given up");
    refused_ = to_.write(&to_, bytes, static_cast<std::uint64_t>(n), &error_);
    if (refused_ != DLENS_OK) return arrow::Status::IOError("the host takes no more");
    written_ += n;
    return arrow::Status::OK();
  }
  arrow::Result<std::int64_t> Tell() const override { return written_; }
  arrow::Status Close() override {
    closed_ = true;
    return arrow::Status::OK();
  }
  bool closed() const override { return closed_; }

  // Throws why the host took no more bytes, if so.
  void check() const {
    if (refused_ != DLENS_OK) fail(status_of(refused_), error_.message);
  }

 private:
  const dlens_output& to_;
  dlens_error error_{};
  dlens_status refused_ = DLENS_OK;
  std::int64_t written_ = 0;
  bool closed_ = false;
};

}  // namespace depthlens::arrow_tables
