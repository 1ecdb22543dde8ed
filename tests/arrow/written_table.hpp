// SPDX-License-Identifier: Apache-2.0
// A CSV written by the plugin tables.arrow, which DEPTHLENS_TEST_TABLES names, and read back by Arrow.
#pragma once

#include "depthlens/abi/tables.h"
#include "depthlens/base/abi_error.hpp"
#include "plugins/library.hpp"
#include "support/data_files.hpp"

#include <boost/test/unit_test.hpp>

#include <arrow/io/memory.h>
#include <arrow/ipc/reader.h>
#include <arrow/table.h>
#include <parquet/arrow/reader.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace depthlens::test {

inline const dlens_tables& table_writer() {
  static const dlens_tables* const found = [] {
    const char* const file = std::getenv("DEPTHLENS_TEST_TABLES");
    BOOST_REQUIRE_MESSAGE(file != nullptr, "DEPTHLENS_TEST_TABLES does not name the plugin");
    plugin_verdict v = judge_file(file);
    const dlens_plugin* const plugin = load_plugin(v);
    BOOST_REQUIRE_MESSAGE(plugin != nullptr, v.reason);
    return static_cast<const dlens_tables*>(plugin->get_interface(DLENS_TABLES_INTERFACE));
  }();
  return *found;
}

template <class T>
T must(arrow::Result<T> r) {
  BOOST_REQUIRE_MESSAGE(r.ok(), r.status().ToString());
  return *std::move(r);
}
inline void must(const arrow::Status& s) { BOOST_REQUIRE_MESSAGE(s.ok(), s.ToString()); }

struct csv_text {
  std::string content;
  std::vector<std::pair<std::string, std::uint32_t>> columns;  // name, DLENS_I64 ...
  std::uint32_t flags = 0;
  std::size_t most_bytes = std::size_t{1} << 30;  // that the host takes
};

// The bytes of the file; throws what the plugin says.
inline std::string written(const csv_text& t, const char* form) {
  const scratch_folder folder;
  const std::string file = folder.write("t.csv", t.content);
  std::vector<dlens_column> columns;
  for (const auto& [name, type] : t.columns)
    columns.push_back({.size = sizeof(dlens_column), .type = type, .id = name.c_str(), .help = "what it is"});
  std::vector<const dlens_column*> places;
  for (const dlens_column& c : columns) places.push_back(&c);
  const dlens_pair about{to_text("key"), to_text("value")};
  struct host {
    std::string bytes;
    std::size_t most;
  } host{{}, t.most_bytes};
  const dlens_output to{
      .size = sizeof(dlens_output),
      .reserved = 0,
      .self = &host,
      .write = [](const dlens_output* o, const void* bytes, std::uint64_t n, dlens_error* e) noexcept {
        return guarded(e, [&] {
          auto& h = *static_cast<struct host*>(const_cast<void*>(o->self));
          if (h.bytes.size() + n > h.most) fail(status::io, "the disk of the test is full");
          h.bytes.append(static_cast<const char*>(bytes), n);
        });
      }};
  const dlens_csv_table table{.size = sizeof table,
                              .flags = t.flags,
                              .file = file.c_str(),
                              .columns = places.data(),
                              .n_columns = places.size(),
                              .about = &about,
                              .n_about = 1};
  checked_call(table_writer().write, form, &table, &to);
  return std::move(host.bytes);
}

inline std::shared_ptr<arrow::io::BufferReader> source_of(const std::string& bytes) {
  return std::make_shared<arrow::io::BufferReader>(arrow::Buffer::FromString(bytes));
}

struct read_back {
  std::shared_ptr<arrow::Table> table;
  std::vector<std::int64_t> batches;  // their rows: row groups, record batches
};

// Before 24 a table came by a pointer.
template <class Reader>
std::shared_ptr<arrow::Table> table_in(Reader& reader) {
  if constexpr (requires { reader.ReadTable(); }) {
    return must(reader.ReadTable());
  } else {
    std::shared_ptr<arrow::Table> out;
    must(reader.ReadTable(&out));
    return out;
  }
}

inline read_back read_parquet(const std::string& bytes) {
  read_back out;
  parquet::arrow::FileReaderBuilder builder;
  must(builder.Open(source_of(bytes)));
  const std::unique_ptr<parquet::arrow::FileReader> reader = must(builder.Build());
  out.table = table_in(*reader);
  for (int i = 0; i < reader->num_row_groups(); ++i)
    out.batches.push_back(reader->parquet_reader()->metadata()->RowGroup(i)->num_rows());
  return out;
}

inline read_back read_arrow(const std::string& bytes) {
  read_back out;
  const auto reader = must(arrow::ipc::RecordBatchFileReader::Open(source_of(bytes)));
  arrow::RecordBatchVector batches;
  for (int i = 0; i < reader->num_record_batches(); ++i) {
    batches.push_back(must(reader->ReadRecordBatch(i)));
    out.batches.push_back(batches.back()->num_rows());
  }
  out.table = must(arrow::Table::FromRecordBatches(reader->schema(), batches));
  return out;
}

inline read_back round_trip(const csv_text& t, const std::string& form) {
  const std::string bytes = written(t, form.c_str());
  return form == "parquet" ? read_parquet(bytes) : read_arrow(bytes);
}

}  // namespace depthlens::test
