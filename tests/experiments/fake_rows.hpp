// SPDX-License-Identifier: Apache-2.0
// Rows of consume as a test keeps them, and as finish reads them.
#pragma once

#include "depthlens/abi/experiment.h"

#include <cstdint>
#include <vector>

namespace depthlens::test {

struct stored_row {
  std::uint32_t table, dataset;
  std::uint64_t record;
  std::vector<dlens_value> values;
};

// The rows outlive it.
class fake_rows {
 public:
  explicit fake_rows(const std::vector<stored_row>& rows) : rows_(rows) {}
  fake_rows(const fake_rows&) = delete;
  const dlens_rows* c() const { return &c_; }

 private:
  static dlens_status next(const dlens_rows* r, const dlens_row** out, dlens_error*) {
    auto& self = *static_cast<fake_rows*>(r->self);
    *out = nullptr;
    if (self.at_ == self.rows_.size()) return DLENS_OK;
    const stored_row& from = self.rows_[self.at_++];
    self.row_ = {.size = sizeof(dlens_row),
                 .table = from.table,
                 .dataset = from.dataset,
                 .reserved = 0,
                 .record = from.record,
                 .values = from.values.data(),
                 .n_values = from.values.size()};
    *out = &self.row_;
    return DLENS_OK;
  }
  static dlens_status rewind(const dlens_rows* r, dlens_error*) {
    static_cast<fake_rows*>(r->self)->at_ = 0;
    return DLENS_OK;
  }

  const std::vector<stored_row>& rows_;
  std::size_t at_ = 0;
  dlens_row row_{};
  dlens_rows c_{sizeof(dlens_rows), 0, rows_.size(), this, &next, &rewind};
};

}  // namespace depthlens::test
