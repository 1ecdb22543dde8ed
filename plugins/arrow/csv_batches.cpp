// SPDX-License-Identifier: Apache-2.0
#include "csv_batches.hpp"

#include "arrow_result.hpp"
#include "depthlens/base/abi_error.hpp"
#include "depthlens/base/text.hpp"

#include <arrow/array.h>
#include <arrow/array/builder_binary.h>
#include <arrow/array/builder_primitive.h>
#include <arrow/builder.h>
#include <arrow/memory_pool.h>
#include <arrow/util/key_value_metadata.h>

#include <charconv>
#include <cmath>
#include <span>
#include <string_view>
#include <system_error>

namespace depthlens::arrow_tables {
namespace {

std::shared_ptr<arrow::DataType> type_of(std::uint32_t column_type) {
  switch (column_type) {
    case DLENS_I64:
      return arrow::int64();
    case DLENS_F64:
    case DLENS_F32:
      return arrow::float64();
    case DLENS_TEXT:
      return arrow::utf8();
    default:
      fail(status::internal, "a column of type ", column_type);
  }
}

std::shared_ptr<arrow::Schema> schema_of(const dlens_csv_table& t) {
  arrow::FieldVector fields;
  for (const dlens_column* c : std::span(t.columns, t.n_columns)) {
    std::shared_ptr<arrow::Field> field = arrow::field(c->id, type_of(c->type));
    if (c->help != nullptr && *c->help != '\0')
      field = field->WithMetadata(arrow::key_value_metadata({"description"}, {visible(c->help)}));
    fields.push_back(std::move(field));
  }
  std::vector<std::string> keys, values;
  for (const dlens_pair& p : std::span(t.about, t.n_about)) {
    keys.emplace_back(to_view(p.key));
    values.emplace_back(to_view(p.value));
  }
  return arrow::schema(std::move(fields), arrow::key_value_metadata(std::move(keys), std::move(values)));
}

template <class Number>
Number number_in(const std::string& field, const csv_reader& reader, const dlens_column& column,
                 const char* expected) {
  Number value{};
  const char* const end = field.data() + field.size();
  const auto [at, problem] = std::from_chars(field.data(), end, value);
  if (problem != std::errc() || at != end)
    reader.fail_row("column ", column.id, ": \"", visible_line(field), "\" is not ", expected);
  return value;
}

}  // namespace

csv_batches::csv_batches(const dlens_csv_table& table)
    : table_(table), reader_(table.file), schema_(schema_of(table)) {
  const std::vector<std::string>& header = reader_.header();
  bool same = header.empty() || header.size() == table.n_columns;
  for (std::size_t i = 0; same && i < header.size(); ++i) same = header[i] == table.columns[i]->id;
  if (!same) reader_.fail_row("the first line does not name the columns of the table");
  for (const auto& field : schema_->fields())
    builders_.push_back(value_of(arrow::MakeBuilder(field->type(), arrow::system_memory_pool())));
}

void csv_batches::append(std::size_t i, const std::string& field) {
  const dlens_column& column = *table_.columns[i];
  arrow::ArrayBuilder& builder = *builders_[i];
  const bool bare = (table_.flags & DLENS_CSV_BARE_TEXTS) != 0;
  if (field.empty() && (column.type != DLENS_TEXT || bare || !reader_.quoted(i)))
    return check(builder.AppendNull());
  if (column.type == DLENS_TEXT) return check(static_cast<arrow::StringBuilder&>(builder).Append(field));
  if (column.type == DLENS_I64)
    return check(static_cast<arrow::Int64Builder&>(builder).Append(
        number_in<std::int64_t>(field, reader_, column, "a whole number")));
  const auto value = number_in<double>(field, reader_, column, "a number");
  check(std::isnan(value) ? builder.AppendNull() : static_cast<arrow::DoubleBuilder&>(builder).Append(value));
}

std::shared_ptr<arrow::RecordBatch> csv_batches::next() {
  std::int64_t rows = 0;
  for (std::size_t bytes = 0; rows < most_rows && bytes < most_text_bytes && reader_.next(row_); ++rows)
    for (std::size_t i = 0; i < row_.size(); ++i) {
      append(i, row_[i]);
      bytes += row_[i].size();
    }
  if (rows == 0) return nullptr;
  arrow::ArrayVector columns;
  for (auto& builder : builders_) columns.push_back(value_of(builder->Finish()));
  return arrow::RecordBatch::Make(schema_, rows, std::move(columns));
}

}  // namespace depthlens::arrow_tables
