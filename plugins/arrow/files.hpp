// SPDX-License-Identifier: Apache-2.0
// The forms of a table that this plugin writes.
#pragma once

#include "csv_batches.hpp"

#include <arrow/io/interfaces.h>

#include <memory>

namespace depthlens::arrow_tables {

// Both write all rows and end the file, and throw what the batches or the stream refuse.
void write_parquet(csv_batches& from, const std::shared_ptr<arrow::io::OutputStream>& to);
void write_arrow(csv_batches& from, const std::shared_ptr<arrow::io::OutputStream>& to);

}  // namespace depthlens::arrow_tables
