// SPDX-License-Identifier: Apache-2.0
// Parquet: a row group for each batch. Texts are coded by dictionary, as Parquet does of itself; the schema
// of Arrow is stored too, as it holds what the columns are.
#include "arrow_result.hpp"
#include "files.hpp"

#include <arrow/memory_pool.h>
#include <arrow/table.h>
#include <arrow/util/compression.h>
#include <parquet/arrow/writer.h>
#include <parquet/properties.h>

namespace depthlens::arrow_tables {

void write_parquet(csv_batches& from, const std::shared_ptr<arrow::io::OutputStream>& to) {
  parquet::WriterProperties::Builder how;
  if (arrow::util::Codec::IsAvailable(arrow::Compression::ZSTD)) {
    constexpr int level = 3;
    how.compression(arrow::Compression::ZSTD)->compression_level(level);
  }
  const auto of_arrow = parquet::ArrowWriterProperties::Builder().store_schema()->build();
  const auto file = value_of(parquet::arrow::FileWriter::Open(*from.schema(), arrow::system_memory_pool(), to,
                                                              how.build(), of_arrow));
  while (const auto batch = from.next()) {
    const auto table = value_of(arrow::Table::FromRecordBatches(from.schema(), {batch}));
    check(file->WriteTable(*table, batch->num_rows()));
  }
  check(file->Close());
}

}  // namespace depthlens::arrow_tables
