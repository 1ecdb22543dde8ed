// SPDX-License-Identifier: Apache-2.0
// The plugin tables.arrow: finished tables as Parquet and as Arrow's IPC files, by the Arrow library.
#include "depthlens/plugin.hpp"

#include "depthlens/abi/tables.h"
#include "depthlens/base/abi_error.hpp"
#include "files.hpp"
#include "host_output.hpp"

#include <memory>
#include <string_view>

namespace depthlens::arrow_tables {
namespace {

constexpr std::uint32_t csv_flags = DLENS_CSV_BARE_TEXTS;

void write_table(std::string_view form, const dlens_csv_table& table, const dlens_output& to) {
  if (!DLENS_HAS(dlens_csv_table, &table, n_about) || !DLENS_HAS(dlens_output, &to, write))
    fail(status::internal, "the table is of another interface");
  if ((table.flags & ~csv_flags) != 0)
    fail(status::internal, "the table has the flag ", table.flags & ~csv_flags, ", which is not known");
  const bool parquet = form == "parquet";
  if (!parquet && form != "arrow") fail(status::usage, "no such form of tables: ", form);
  const auto stream = std::make_shared<host_output>(to);
  try {
    csv_batches rows(table);
    parquet ? write_parquet(rows, stream) : write_arrow(rows, stream);
  } catch (const std::exception&) {
    stream->check();  // what the host said comes before what Arrow made of it
    throw;
  }
}

dlens_status write(const char* form, const dlens_csv_table* table, const dlens_output* to,
                   dlens_error* error) noexcept {
  return guarded(error, [&] { write_table(form, *table, *to); });
}

constexpr const char* forms[] = {"parquet", "arrow", nullptr};
constexpr dlens_tables tables = {
    .size = sizeof(dlens_tables), .reserved = 0, .forms = forms, .write = &write};

}  // namespace
}  // namespace depthlens::arrow_tables

DEPTHLENS_PLUGIN("tables.arrow", DEPTHLENS_VERSION, "Tables as Parquet and Arrow files", "Apache-2.0",
                 DLENS_TABLES_INTERFACE, &depthlens::arrow_tables::tables, nullptr);
