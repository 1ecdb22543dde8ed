// SPDX-License-Identifier: Apache-2.0
// Tables of prompts, CSV and TSV: the same records as JSON rows, empty cells, and what is refused with its
// line.
#include <depthlens/data/reader.hpp>

#include "support/data_files.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <string_view>
#include <vector>

using namespace depthlens;
using depthlens::test::check_fails;
using depthlens::test::scratch_folder;

namespace {

using fields = std::vector<std::pair<std::string, std::string>>;

std::vector<record> read_file(const std::filesystem::path& path) {
  const auto reader = open_records(path, detect_format(path), "prompt");
  std::vector<record> records;
  for (record next; reader->next(next);) records.push_back(next);
  return records;
}

std::vector<record> read_text(const std::string& name, std::string_view content) {
  const scratch_folder folder;
  return read_file(folder.write(name, content));
}

void check_refused(const std::string& name, std::string_view content, std::string_view line,
                   std::string_view why) {
  const scratch_folder folder;
  const auto path = folder.write(name, content);
  check_fails([&] { read_file(path); }, status::data, path.string() + ":" + std::string(line) + ": ", why);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(csv_rows)

BOOST_AUTO_TEST_CASE(a_table_gives_the_records_that_json_rows_of_the_same_content_give) {
  const auto table = read_text("r.csv",
                               "prompt,answer,text,topic\n"
                               "The mill stands beside the,river,The mill stands beside the river.,water\r\n"
                               "\n"
                               "\"She said, \"\"no\"\",\nand\", left,,\n"
                               "So it,,,7");
  const auto json = read_text("r.jsonl",
                              "{\"prompt\":\"The mill stands beside the\",\"answer\":\"river\","
                              "\"text\":\"The mill stands beside the river.\",\"topic\":\"water\"}\n"
                              "{\"prompt\":\"She said, \\\"no\\\",\\nand\",\"answer\":\" "
                              "left\"}\n{\"prompt\":\"So it\",\"topic\":7}\n");
  BOOST_REQUIRE_EQUAL(table.size(), 3U);
  BOOST_REQUIRE_EQUAL(json.size(), 3U);
  for (std::size_t i = 0; i < table.size(); ++i) {
    BOOST_TEST((table[i].fields == json[i].fields));
    BOOST_TEST(table[i].index == i);
    BOOST_TEST(table[i].kind == "prompt");
    BOOST_TEST(table[i].content_hash() == json[i].content_hash());
  }
}

BOOST_AUTO_TEST_CASE(tabs_divide_a_tsv_file_and_columns_may_come_in_any_order) {
  const auto rows = read_text("r.tsv", "answer\tprompt\nb, c\t\"a\tb\"\n\tx\n");
  BOOST_REQUIRE_EQUAL(rows.size(), 2U);
  BOOST_TEST((rows[0].fields == fields{{"prompt", "a\tb"}, {"answer", "b, c"}}));
  BOOST_TEST((rows[1].fields == fields{{"prompt", "x"}}));
}

BOOST_AUTO_TEST_CASE(a_header_alone_holds_no_rows) {
  BOOST_TEST(read_text("r.csv", "prompt,answer\n").empty());
}

BOOST_AUTO_TEST_CASE(tables_of_the_wrong_form_are_refused_with_file_and_line) {
  check_refused("r.csv", "", "1", "the file is empty; expected a header row");
  check_refused("r.csv", "\n\nquestion,answer\na,b\n", "3", "no column \"prompt\"");
  check_refused("r.csv", "prompt;answer\na;b\n", "1", "divided by commas, found 1 column, 'prompt;answer'");
  check_refused("r.tsv", "prompt,answer\na,b\n", "1", "divided by tabs");
  check_refused("r.csv", "prompt,answer,answer\na,b,c\n", "1", "two columns are called 'answer'");
  check_refused("r.csv", "prompt,\na,b\n", "1", "column 2 of the header row has no name");
  check_refused("r.csv", "prompt,answer\na,b\nc\n", "3", "the row has 1 fields, expected 2");
  check_refused("r.csv", "prompt,answer\na b,\"c\nd", "2", "the file ends inside the quoted field");
  check_refused("r.tsv", "prompt\tanswer\na \"b\"\tc\n", "2", "a quote inside a field");
  check_refused("r.tsv", "prompt\tanswer\n\"a\"b\tc\n", "2", "expected a tab or a line end");
  check_refused("r.csv", "prompt,text\nHe,She\n", "2", "row 0: \"text\" does not begin with \"prompt\"");
  check_refused("r.csv", "prompt\n\xE9t\xE9\n", "2", "not UTF-8");
  check_refused("r.csv", std::string_view("prompt\na\0b\n", 11), "2", "NUL");
  check_refused("r.csv", "\xEF\xBB\xBFprompt\na\n", "1", "byte order mark");
  check_refused("r.csv", "prompt\n" + std::string(max_item_bytes + 1, 'x'), "2", "longer than 16 MiB");
}

BOOST_AUTO_TEST_CASE(a_table_cut_at_any_byte_gives_an_error_or_rows) {
  const scratch_folder folder;
  const std::string_view whole = "prompt,answer\n\"a, \"\"b\"\"\",c\nd,e\n";
  for (std::size_t length = 0; length <= whole.size(); ++length) {
    const auto path = folder.write("cut.csv", whole.substr(0, length));
    try {
      BOOST_TEST(read_file(path).size() <= 2U);
    } catch (const error& e) {
      BOOST_TEST(static_cast<int>(e.code()) == static_cast<int>(status::data));
    }
  }
}

BOOST_AUTO_TEST_CASE(tables_give_no_other_kind_of_record) {
  const scratch_folder folder;
  const auto path = folder.write("a.csv", "prompt\na\n");
  for (const std::string_view kind : {"fact", "sentence", "cut"})
    check_fails([&] { open_records(path, file_format::rows_csv, kind); }, status::usage, kind, "CSV rows");
}

BOOST_AUTO_TEST_SUITE_END()
