// SPDX-License-Identifier: Apache-2.0
// Parquet and Arrow files that the plugin makes of CSVs: types, gaps, parts, and what it refuses.
#include "arrow/written_table.hpp"

#include <boost/test/unit_test.hpp>

#include <arrow/array.h>
#include <arrow/scalar.h>
#include <arrow/util/key_value_metadata.h>

#include <limits>
#include <string>
#include <vector>

BOOST_AUTO_TEST_SUITE(tables_as_parquet_and_arrow)

namespace {

using namespace depthlens;
using namespace depthlens::test;

const std::vector<std::string> both = {"parquet", "arrow"};

const csv_text mixed{.content =
                         "n,x,f,\"t\"\n"
                         "-9223372036854775808,-1.5e-308,0.1,\"NA\"\n"
                         ",,,\n"
                         "9223372036854775807,inf,nan,\"\"\n"
                         "0,0.0,-inf,\"a \"\"b\"\",\n\xC3\xA9\"\n",
                     .columns = {{"n", DLENS_I64}, {"x", DLENS_F64}, {"f", DLENS_F32}, {"t", DLENS_TEXT}}};

// A column's values as texts, "-" for none.
std::vector<std::string> column(const read_back& r, int i) {
  std::vector<std::string> out;
  for (std::int64_t row = 0; row < r.table->num_rows(); ++row) {
    const auto value = must(r.table->column(i)->GetScalar(row));
    out.push_back(value->is_valid ? value->ToString() : "-");
  }
  return out;
}

double number(const read_back& r, int i, std::int64_t row) {
  const auto chunk = std::static_pointer_cast<arrow::DoubleArray>(r.table->column(i)->chunk(0));
  return chunk->Value(row);
}

}  // namespace

BOOST_AUTO_TEST_CASE(values_have_the_types_of_their_columns_and_gaps_are_gaps) {
  for (const std::string& form : both) BOOST_TEST_CONTEXT(form) {
      const read_back r = round_trip(mixed, form);
      std::vector<std::string> types;
      for (const auto& f : r.table->schema()->fields()) types.push_back(f->type()->ToString());
      BOOST_TEST((types == std::vector<std::string>{"int64", "double", "double", "string"}));
      BOOST_TEST((column(r, 0) ==
                  std::vector<std::string>{"-9223372036854775808", "-", "9223372036854775807", "0"}));
      BOOST_TEST((column(r, 3) == std::vector<std::string>{"NA", "-", "", "a \"b\",\n\xC3\xA9"}));
      BOOST_TEST(number(r, 1, 0) == -1.5e-308);
      BOOST_TEST(number(r, 1, 2) == std::numeric_limits<double>::infinity());
      BOOST_TEST(number(r, 2, 0) == 0.1);  // as who reads the CSV has it
      BOOST_TEST(number(r, 2, 3) == -std::numeric_limits<double>::infinity());
      BOOST_TEST(column(r, 2)[2] == "-");
      BOOST_TEST(r.table->column(1)->null_count() == 1);
    }
}

BOOST_AUTO_TEST_CASE(where_quotes_tell_nothing_an_empty_text_is_a_gap) {
  csv_text bare = mixed;
  bare.flags = DLENS_CSV_BARE_TEXTS;
  for (const std::string& form : both)
    BOOST_TEST(
        (column(round_trip(bare, form), 3) == std::vector<std::string>{"NA", "-", "-", "a \"b\",\n\xC3\xA9"}),
        form);
}

BOOST_AUTO_TEST_CASE(a_file_says_what_it_and_its_columns_are) {
  for (const std::string& form : both) {
    const auto schema = round_trip(mixed, form).table->schema();
    BOOST_REQUIRE(schema->metadata());
    BOOST_TEST(must(schema->metadata()->Get("key")) == "value");
    for (const auto& f : schema->fields())
      BOOST_TEST(must(f->metadata()->Get("description")) == "what it is", form << ", " << f->name());
  }
}

BOOST_AUTO_TEST_CASE(a_table_without_rows_has_its_columns) {
  for (const std::string& form : both)
    for (const char* content : {"\n", "n,x,f,\"t\"\n"}) {
      csv_text t = mixed;
      t.content = content;
      const read_back r = round_trip(t, form);
      BOOST_TEST(r.table->num_rows() == 0);
      BOOST_TEST(r.table->num_columns() == 4);
      BOOST_TEST(r.batches.empty());
    }
}

BOOST_AUTO_TEST_CASE(a_part_has_64_ki_rows_at_most_and_ends_where_its_texts_are_many) {
  csv_text rows{.content = "n\n", .columns = {{"n", DLENS_I64}}};
  for (int i = 0; i < 140'000; ++i) rows.content += std::to_string(i) + '\n';
  csv_text texts{.content = "\"t\"\n", .columns = {{"t", DLENS_TEXT}}};
  const std::size_t ten = std::size_t{10} << 20;
  for (int i = 0; i < 5; ++i) texts.content += '"' + std::string(ten, static_cast<char>('a' + i)) + "\"\n";
  for (const std::string& form : both) {
    const read_back r = round_trip(rows, form);
    BOOST_TEST((r.batches == std::vector<std::int64_t>{65536, 65536, 8928}), form);
    BOOST_TEST(must(r.table->column(0)->GetScalar(139'999))->ToString() == "139999");
    BOOST_TEST((round_trip(texts, form).batches == std::vector<std::int64_t>{4, 1}), form);
  }
}

BOOST_AUTO_TEST_CASE(the_same_table_gives_the_same_bytes) {
  for (const std::string& form : both)
    BOOST_TEST(written(mixed, form.c_str()) == written(mixed, form.c_str()));
}

BOOST_AUTO_TEST_CASE(fields_that_are_not_of_their_columns_type_are_refused_by_line_and_column) {
  struct wrong {
    const char *content, *why;
  };
  for (const std::string& form : both)
    for (const auto& [content, why] :
         {wrong{"n,x\n1,2\n1.5,2\n", "t.csv:3: column n: \"1.5\" is not a whole number"},
          wrong{"n,x\n9223372036854775808,2\n", "t.csv:2: column n:"},
          wrong{"n,x\n1,1e999\n", "t.csv:2: column x: \"1e999\" is not a number"},
          wrong{"n,x\n1,0x10\n", "is not a number"}, wrong{"n,x\n1, 2\n", "is not a number"},
          wrong{"n,x\n1\n", "t.csv:2: the row has 1 fields"},
          wrong{"n,x\n1,\"2\n", "the file ends inside the quoted field"},
          wrong{"x,n\n1,2\n", "t.csv:1: the first line does not name the columns"},
          wrong{"n\n1\n", "t.csv:1: the first line does not name the columns"}})
      check_fails(
          [&] {
            written({.content = content, .columns = {{"n", DLENS_I64}, {"x", DLENS_F64}}}, form.c_str());
          },
          status::data, why);
}

BOOST_AUTO_TEST_CASE(where_the_host_takes_no_more_its_reason_is_told) {
  csv_text t = mixed;
  for (const std::string& form : both)
    for (const std::size_t most : {0, 3, 100, 700}) {
      t.most_bytes = most;
      check_fails([&] { written(t, form.c_str()); }, status::io, "the disk of the test is full");
    }
}

BOOST_AUTO_TEST_CASE(forms_flags_and_types_that_there_are_not_are_refused) {
  check_fails([] { written(mixed, "orc"); }, status::usage, "orc");
  csv_text t = mixed;
  t.flags = 2;
  check_fails([&] { written(t, "parquet"); }, status::internal, "flag 2");
  t = mixed;
  t.columns[0].second = 9;
  check_fails([&] { written(t, "arrow"); }, status::internal, "type 9");
  BOOST_TEST(std::string(table_writer().forms[0]) == "parquet");
  BOOST_TEST(std::string(table_writer().forms[1]) == "arrow");
  BOOST_TEST((table_writer().forms[2] == nullptr));
}

BOOST_AUTO_TEST_SUITE_END()
