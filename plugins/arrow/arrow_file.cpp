// SPDX-License-Identifier: Apache-2.0
// An IPC file of Arrow, also called Feather: a record batch for each batch. Its texts are plain, as one file
// can hold but one dictionary of a column, which would have to be known before the first row is written.
#include "arrow_result.hpp"
#include "files.hpp"

#include <arrow/ipc/options.h>
#include <arrow/ipc/writer.h>
#include <arrow/memory_pool.h>
#include <arrow/util/compression.h>

namespace depthlens::arrow_tables {

void write_arrow(csv_batches& from, const std::shared_ptr<arrow::io::OutputStream>& to) {
  arrow::ipc::IpcWriteOptions how = arrow::ipc::IpcWriteOptions::Defaults();
  how.memory_pool = arrow::system_memory_pool();
  how.use_threads = false;
  if (arrow::util::Codec::IsAvailable(arrow::Compression::ZSTD)) {
    constexpr int level = 3;
    how.codec = value_of(arrow::util::Codec::Create(arrow::Compression::ZSTD, level));
  }
  const auto file = value_of(arrow::ipc::MakeFileWriter(to, from.schema(), how));
  while (const auto batch = from.next()) check(file->WriteRecordBatch(*batch));
  check(file->Close());
}

}  // namespace depthlens::arrow_tables
