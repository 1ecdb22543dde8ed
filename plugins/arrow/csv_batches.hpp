// SPDX-License-Identifier: Apache-2.0
// A finished CSV of the host as record batches of Arrow, typed as its columns are declared: int64, double and
// utf8, each with the column's description. A batch has at most 64 Ki rows and little more than 32 MiB of
// texts, so memory does not grow with the table.
#pragma once

#include "depthlens/abi/tables.h"
#include "depthlens/table/csv.hpp"

#include <arrow/array/builder_base.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace depthlens::arrow_tables {

inline constexpr std::int64_t most_rows = 65536;
inline constexpr std::size_t most_text_bytes = std::size_t{32} << 20;

class csv_batches {
 public:
  // `table` outlives it. Throws status::data where the first line is not that of its columns.
  explicit csv_batches(const dlens_csv_table& table);

  const std::shared_ptr<arrow::Schema>& schema() const { return schema_; }
  // Null after the last. Throws status::data "FILE:LINE: ..." for a field that is not of its column's type.
  std::shared_ptr<arrow::RecordBatch> next();

 private:
  void append(std::size_t column, const std::string& field);

  const dlens_csv_table& table_;
  csv_reader reader_;
  std::shared_ptr<arrow::Schema> schema_;
  std::vector<std::unique_ptr<arrow::ArrayBuilder>> builders_;
  std::vector<std::string> row_;
};

}  // namespace depthlens::arrow_tables
