// SPDX-License-Identifier: Apache-2.0
// CSV written and read back, numbers as text, and files that appear only when they are complete.
#include <depthlens/base/atomic_file.hpp>
#include <depthlens/table/csv.hpp>

#include "support/data_files.hpp"
#include "support/reference.hpp"

#include <boost/test/unit_test.hpp>

#include <sys/resource.h>
#include <unistd.h>

#include <charconv>
#include <csignal>
#include <cstring>
#include <limits>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

using namespace depthlens;
using depthlens::test::check_fails;
using depthlens::test::read_bytes;
using depthlens::test::scratch_folder;

namespace {

using row = std::vector<std::string>;
using rows = std::vector<row>;

std::string written(const rows& table, csv_quotes quotes = csv_quotes::where_needed) {
  std::string out;
  csv_writer writer([&](std::string_view bytes) { out += bytes; }, quotes);
  for (const row& one : table) writer.row(one);
  return out;
}

// Header and rows.
rows read_table(const std::filesystem::path& path) {
  csv_reader reader(path);
  rows table{reader.header()};
  for (row next; reader.next(next);) table.push_back(next);
  return table;
}

rows parse_table(std::string_view content) {
  const scratch_folder folder;
  return read_table(folder.write("t.csv", content));
}

void check_refused(std::string_view content, std::string_view line, std::string_view why) {
  const scratch_folder folder;
  const auto path = folder.write("t.csv", content);
  check_fails([&] { read_table(path); }, status::data, path.string() + ":" + std::string(line) + ": ", why);
}

template <class Append, class Number>
std::string text_of(Append append, Number value) {
  std::string out = "=";
  append(out, value);
  return out.substr(1);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(csv)

BOOST_AUTO_TEST_CASE(fields_are_quoted_only_where_they_must_be) {
  BOOST_TEST(written({{"a", "b c", " d ", "'e'", "\xC3\xA9", "=1+1", "#", ""}}) ==
             "a,b c, d ,'e',\xC3\xA9,=1+1,#,\n");
  BOOST_TEST(written({{"a,b", "\"", "x\ny", "x\ry", "say \"hi\""}}) ==
             "\"a,b\",\"\"\"\",\"x\ny\",\"x\ry\",\"say \"\"hi\"\"\"\n");
  BOOST_TEST(written({{"h"}, {""}, {"x"}}) == "h\n\"\"\nx\n");
  BOOST_TEST(written({{"", ""}}) == ",\n");
}

BOOST_AUTO_TEST_CASE(a_table_that_begins_with_a_byte_order_mark_can_be_read_again) {
  const rows table{{"\xEF\xBB\xBFx", "\xEF\xBB\xBF"}, {"\xEF\xBB\xBF", "1"}};
  BOOST_TEST(written(table) == "\"\xEF\xBB\xBFx\",\xEF\xBB\xBF\n\xEF\xBB\xBF,1\n");
  BOOST_TEST((parse_table(written(table)) == table));
}

BOOST_AUTO_TEST_CASE(typed_fields_are_written_in_their_shortest_form) {
  std::string out;
  csv_writer writer([&](std::string_view bytes) { out += bytes; });
  writer.integer(-7);
  writer.integer(std::numeric_limits<std::uint64_t>::max());
  writer.f32(0.1F);
  writer.f64(0.1);
  writer.python_float(static_cast<double>(0.1F));
  writer.empty();
  writer.text("NA");
  writer.end_row();
  BOOST_TEST(out == "-7,18446744073709551615,0.1,0.1,0.10000000149011612,,NA\n");
}

BOOST_AUTO_TEST_CASE(where_all_texts_are_quoted_numbers_and_gaps_stay_bare) {
  std::string out;
  csv_writer writer([&](std::string_view bytes) { out += bytes; }, csv_quotes::all_texts);
  writer.name("layer");
  for (const char* column : {"one", "two", "three", "four"}) writer.text(column);
  writer.name("p, \"q\"");
  writer.end_row();
  writer.integer(3);
  for (const char* text : {"NA", "12", "", "say \"hi\",\n"}) writer.text(text);
  writer.empty();
  writer.end_row();
  writer.empty();
  for (int i = 0; i < 4; ++i) writer.empty();
  writer.python_float(0.5);
  writer.end_row();
  BOOST_TEST(out ==
             "layer,\"one\",\"two\",\"three\",\"four\",\"p, \"\"q\"\"\"\n"
             "3,\"NA\",\"12\",\"\",\"say \"\"hi\"\",\n\",\n"
             ",,,,,0.5\n");
  BOOST_TEST((parse_table(out) == rows{{"layer", "one", "two", "three", "four", "p, \"q\""},
                                       {"3", "NA", "12", "", "say \"hi\",\n", ""},
                                       {"", "", "", "", "", "0.5"}}));
}

BOOST_AUTO_TEST_CASE(rows_of_another_width_and_nul_bytes_are_our_own_mistake) {
  check_fails([] { written({{"a", "b"}, {"c"}}); }, status::internal, "1 fields in a table of 2");
  check_fails([] { written({{}}); }, status::internal, "0 fields");
  check_fails([] { written({{std::string("a\0b", 3)}}); }, status::internal, "NUL");
}

BOOST_AUTO_TEST_CASE(every_text_comes_back_as_it_was_written) {
  const rows table{{"id", "text"},      {"1", "a,b"},
                   {"2", "\"quoted\""}, {"3", "line\nbreak\n"},
                   {"4", "\r\n"},       {"5", "\r"},
                   {"6", ""},           {"7", " \t "},
                   {"8", "NA"},         {"9", "null"},
                   {"10", "\"\"\""},    {"11", ",\n\","},
                   {"12", "\\x00"},     {"13", "\xF0\x9F\x98\x80"}};
  BOOST_TEST((parse_table(written(table)) == table));
  BOOST_TEST((parse_table(written(table, csv_quotes::all_texts)) == table));
}

BOOST_AUTO_TEST_CASE(random_texts_of_awkward_characters_come_back) {
  std::mt19937 random(5);
  constexpr std::string_view awkward = "a\",\r\n '=\\";
  rows table{{"one", "two", "three"}};
  for (int i = 0; i < 2000; ++i) {
    row one(3);
    for (std::string& field : one)
      for (auto n = random() % 6; n > 0; --n) field += awkward[random() % awkward.size()];
    table.push_back(one);
  }
  BOOST_TEST((parse_table(written(table)) == table));
  BOOST_TEST((parse_table(written(table, csv_quotes::all_texts)) == table));
  rows single{{"one"}};
  for (const row& one : table) single.push_back({one[0]});
  BOOST_TEST((parse_table(written(single)) == single));
}

BOOST_AUTO_TEST_CASE(crlf_blank_lines_and_a_last_row_without_end_are_read) {
  const rows expected{{"a", "b"}, {"1", "x\r\ny"}, {"", "3"}};
  BOOST_TEST((parse_table("a,b\r\n1,\"x\r\ny\"\r\n,3\r\n") == expected));
  BOOST_TEST((parse_table("\n\na,b\n\n1,\"x\r\ny\"\n\n\n,\"3\"") == expected));
  BOOST_TEST((parse_table("a,b\n1,\n") == rows{{"a", "b"}, {"1", ""}}));
  BOOST_TEST((parse_table("a,b\n1,") == rows{{"a", "b"}, {"1", ""}}));
}

BOOST_AUTO_TEST_CASE(a_table_of_no_columns_has_an_empty_header_and_no_rows) {
  BOOST_TEST((parse_table("\n") == rows{{}}));
  BOOST_TEST((parse_table("") == rows{{}}));
}

BOOST_AUTO_TEST_CASE(a_reader_says_which_fields_stood_in_quotes) {
  const scratch_folder folder;
  csv_reader reader(folder.write("t.csv", "\"a\",b,c\n\"\",,\"x,\ny\"\n,\"\"\"\",1\n"));
  row next;
  BOOST_REQUIRE(reader.next(next));
  BOOST_TEST((next == row{"", "", "x,\ny"}));
  BOOST_TEST((reader.quoted(0) && !reader.quoted(1) && reader.quoted(2)));
  BOOST_REQUIRE(reader.next(next));
  BOOST_TEST((!reader.quoted(0) && reader.quoted(1) && !reader.quoted(2)));
}

BOOST_AUTO_TEST_CASE(columns_are_found_by_name) {
  const scratch_folder folder;
  const auto path = folder.write("t.csv", "layer,prompt index\n0,1\n");
  csv_reader reader(path);
  BOOST_TEST(reader.column("prompt index") == 1U);
  BOOST_TEST(reader.find_column("rank").has_value() == false);
  check_fails([&] { reader.column("rank"); }, status::data, path.string() + ": there is no column \"rank\"");
  row fields;
  BOOST_TEST(reader.next(fields));
  BOOST_TEST(reader.line() == 2U);
  BOOST_TEST(!reader.next(fields));
  BOOST_TEST(fields.empty());
}

BOOST_AUTO_TEST_CASE(broken_tables_are_refused_with_their_line) {
  check_refused("a,b\n1,2\n\n3\n", "4", "the row has 1 fields, expected 2");
  check_refused("a,b\n\"x\ny\",2\n1,2,3\n", "4", "the row has 3 fields, expected 2");
  check_refused("a,b\n1,x\"y\n", "2", "a quote inside a field");
  check_refused("a,b\n1,\"x\"y\n", "2", "expected a comma or a line end after a closing quote");
  check_refused("a,b\n1,\"x\n\n", "2", "the file ends inside the quoted field");
  check_refused("a,b\n1,2\rc,3\n", "2", "a carriage return without a line feed");
  check_refused(std::string_view("a,b\n1,\0\n", 8), "2", "a NUL byte");
  check_refused("a,b\n1,\xE9\n", "2", "not UTF-8");
  check_refused("a,b\n1,\"\n\xE9\"\n", "3", "not UTF-8");
  check_refused(
      "\xEF\xBB\xBF"
      "a,b\n",
      "1", "byte order mark");
  check_refused("a\n\"" + std::string(max_item_bytes + 1, 'x') + "\"\n", "2",
                "the row is longer than 16 MiB");
  check_refused(std::string(csv_reader::max_columns, ','), "1", "more than 65536 fields");
}

BOOST_AUTO_TEST_CASE(a_table_cut_at_any_byte_gives_an_error_or_a_part_of_it) {
  const scratch_folder folder;
  const std::string whole = written({{"k", "v"}, {"1", "a\"\nb"}, {"2", ","}});
  for (std::size_t length = 0; length <= whole.size(); ++length) {
    const auto path = folder.write("cut.csv", std::string_view(whole).substr(0, length));
    try {
      BOOST_TEST(read_table(path).size() <= 3U);
    } catch (const error& failure) {
      BOOST_TEST((failure.code() == status::data));
      BOOST_TEST(std::string_view(failure.what()).starts_with(path.string() + ":"));
    }
  }
}

BOOST_AUTO_TEST_CASE(tables_written_by_pandas_come_out_byte_for_byte,
                     *boost::unit_test::precondition(test::with_reference)) {
  std::size_t tables = 0;
  for (const auto& entry : std::filesystem::directory_iterator(test::reference_path() / "golden/smollm2")) {
    if (entry.path().extension() != ".csv") continue;
    const rows table = read_table(entry.path());
    BOOST_TEST((written(table) == read_bytes(entry.path())), entry.path());
    const std::optional<std::size_t> number = csv_reader(entry.path()).find_column("probability");
    for (std::size_t i = 1; number && i < table.size(); ++i) {
      const std::string& text = table[i][*number];
      double value = 0;
      std::from_chars(text.data(), text.data() + text.size(), value);
      BOOST_REQUIRE_EQUAL(text_of(append_python_float, value), text);
    }
    ++tables;
  }
  BOOST_TEST(tables == 8U);
}

BOOST_AUTO_TEST_CASE(python_floats_have_the_form_of_repr) {
  const auto repr = [](double value) { return text_of(append_python_float, value); };
  BOOST_TEST(repr(0.0) == "0.0");
  BOOST_TEST(repr(-0.0) == "-0.0");
  BOOST_TEST(repr(1.0) == "1.0");
  BOOST_TEST(repr(-12.5) == "-12.5");
  BOOST_TEST(repr(100.0) == "100.0");
  BOOST_TEST(repr(0.1) == "0.1");
  BOOST_TEST(repr(0.11902238428592682) == "0.11902238428592682");
  BOOST_TEST(repr(7.482545139048113e-11) == "7.482545139048113e-11");
  BOOST_TEST(repr(1e-5) == "1e-05");
  BOOST_TEST(repr(0.0001) == "0.0001");
  BOOST_TEST(repr(0.00012345) == "0.00012345");
  BOOST_TEST(repr(0.00009999) == "9.999e-05");
  BOOST_TEST(repr(1e15) == "1000000000000000.0");
  BOOST_TEST(repr(1e16) == "1e+16");
  BOOST_TEST(repr(1.5e16) == "1.5e+16");
  BOOST_TEST(repr(9007199254740993.0) == "9007199254740992.0");
  BOOST_TEST(repr(123456789.125) == "123456789.125");
  BOOST_TEST(repr(-1e-7) == "-1e-07");
  BOOST_TEST(repr(1e100) == "1e+100");
  BOOST_TEST(repr(5e-324) == "5e-324");
  BOOST_TEST(repr(1.7976931348623157e308) == "1.7976931348623157e+308");
  BOOST_TEST(repr(std::numeric_limits<double>::infinity()) == "inf");
  BOOST_TEST(repr(-std::numeric_limits<double>::infinity()) == "-inf");
  BOOST_TEST(repr(-std::numeric_limits<double>::quiet_NaN()) == "nan");
}

BOOST_AUTO_TEST_CASE(every_written_number_reads_back_as_the_same_bits) {
  std::mt19937_64 random(11);
  for (int i = 0; i < 20000; ++i) {
    const std::uint64_t bits = random();
    double wide = 0, read = 0;
    std::memcpy(&wide, &bits, sizeof wide);
    float narrow = 0, read_narrow = 0;
    std::memcpy(&narrow, &bits, sizeof narrow);
    const auto parse = [](const std::string& text, auto& value) {
      return std::from_chars(text.data(), text.data() + text.size(), value).ptr == text.data() + text.size();
    };
    if (wide == wide) {
      BOOST_REQUIRE(parse(text_of(append_python_float, wide), read) &&
                    std::memcmp(&wide, &read, sizeof wide) == 0);
      BOOST_REQUIRE(parse(text_of(append_f64, wide), read) && std::memcmp(&wide, &read, sizeof wide) == 0);
    }
    if (narrow == narrow)
      BOOST_REQUIRE(parse(text_of(append_f32, narrow), read_narrow) &&
                    std::memcmp(&narrow, &read_narrow, 4) == 0);
  }
}

BOOST_AUTO_TEST_CASE(a_file_appears_only_when_it_is_committed) {
  const scratch_folder folder;
  const auto path = folder.write("out.csv", "before");
  const auto names = [&] {
    std::size_t n = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder.path())) ++n;
    return n;
  };
  {
    atomic_file file(path);
    file.write("lost");
    BOOST_TEST(names() == 2U);
    BOOST_TEST(std::filesystem::exists(folder.path() / cat(".out.csv.tmp-", ::getpid())));
    BOOST_TEST(read_bytes(path) == "before");
  }
  BOOST_TEST(names() == 1U);
  BOOST_TEST(read_bytes(path) == "before");
  atomic_file file(path);
  const std::string large(100000, 'x');
  for (const std::string_view part : {std::string_view("a"), std::string_view(large), std::string_view("b")})
    file.write(part);
  file.commit();
  BOOST_TEST(read_bytes(path) == "a" + large + "b");
  BOOST_TEST(names() == 1U);
}

BOOST_AUTO_TEST_CASE(what_a_killed_process_left_is_not_in_the_way_and_links_are_not_followed) {
  const scratch_folder folder;
  const auto victim = folder.write("victim", "keep");
  std::filesystem::create_symlink(victim, folder.path() / cat(".out.csv.tmp-", ::getpid()));
  atomic_file file(folder.path() / "out.csv");
  file.write("new");
  file.commit();
  BOOST_TEST(read_bytes(folder.path() / "out.csv") == "new");
  BOOST_TEST(read_bytes(victim) == "keep");
}

BOOST_AUTO_TEST_CASE(a_file_that_cannot_be_created_is_named) {
  const scratch_folder folder;
  const auto path = folder.path() / "no such folder" / "out.csv";
  check_fails([&] { atomic_file file(path); }, status::cannot_create, path.string(), "No such file");
  check_fails([&] { atomic_file file(folder.path() / ""); }, status::cannot_create, "no file name");
}

BOOST_AUTO_TEST_CASE(a_failing_rename_is_an_input_output_error_and_leaves_nothing_behind) {
  const scratch_folder folder;
  const auto path = folder.path() / "taken";
  atomic_file file(path);
  std::filesystem::create_directory(path);
  file.write("x");
  check_fails([&] { file.commit(); }, status::io, path.string(), "cannot put the file in place");
  check_fails([&] { file.commit(); }, status::internal, "after its end");
  BOOST_TEST(std::filesystem::is_directory(path));
  BOOST_TEST(!std::filesystem::exists(folder.path() / cat(".taken.tmp-", ::getpid())));
}

BOOST_AUTO_TEST_CASE(a_write_that_fails_is_an_input_output_error_and_the_former_file_stays) {
  const scratch_folder folder;
  const auto path = folder.write("out.csv", "before");
  atomic_file file(path);
  // A limit on the size of files stands for a full disk.
  struct rlimit former {};
  BOOST_REQUIRE(::getrlimit(RLIMIT_FSIZE, &former) == 0);
  const auto signal_before = std::signal(SIGXFSZ, SIG_IGN);
  const struct rlimit small { 100000, former.rlim_max };
  BOOST_REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
  const std::string block(30000, 'x');
  check_fails(
      [&] {
        for (int i = 0; i < 10; ++i) file.write(block);
      },
      status::io, path.string(), "cannot write the file");
  ::setrlimit(RLIMIT_FSIZE, &former);
  std::signal(SIGXFSZ, signal_before);
  check_fails([&] { file.commit(); }, status::internal, "after its end");
  BOOST_TEST(read_bytes(path) == "before");
  BOOST_TEST(!std::filesystem::exists(folder.path() / cat(".out.csv.tmp-", ::getpid())));
}

BOOST_AUTO_TEST_SUITE_END()
