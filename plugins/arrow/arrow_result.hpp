// SPDX-License-Identifier: Apache-2.0
// What Arrow says of a call that failed, as this program's errors.
#pragma once

#include "depthlens/base/error.hpp"

#include <arrow/result.h>
#include <arrow/status.h>

#include <new>
#include <utility>

namespace depthlens::arrow_tables {

inline void check(const arrow::Status& s) {
  if (s.ok()) return;
  if (s.IsOutOfMemory()) throw std::bad_alloc();
  fail(s.IsIOError() ? status::io : status::internal, "Arrow: ", s.ToStringWithoutContextLines());
}

template <class T>
T value_of(arrow::Result<T> r) {
  check(r.status());
  return *std::move(r);
}

}  // namespace depthlens::arrow_tables
