// SPDX-License-Identifier: Apache-2.0
// Token frequency tables: read, ordered, divided into buckets, checked against a tokenizer, written.
#include <depthlens/data/token_counts.hpp>

#include "support/data_files.hpp"
#include "support/reference.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

using namespace depthlens;
using depthlens::test::check_fails;
using depthlens::test::read_bytes;
using depthlens::test::scratch_folder;

namespace {

constexpr std::string_view small_table = R"({
 "5": {"token": "the", "count": 4, "ratio": 0.4},
 "9": {"token": ",", "count": 5, "ratio": 0.3},
 "2": {"token": "", "count": 4, "ratio": 0.3},
 "7": {"token": "x", "count": 0, "ratio": 0}
})";

std::vector<std::int32_t> ids(const token_counts& table) {
  std::vector<std::int32_t> out;
  for (const token_count& entry : table.entries()) out.push_back(entry.id);
  return out;
}

token_counts read(std::string_view content, token_order order = token_order::count) {
  const scratch_folder folder;
  return token_counts::read(folder.write("counts.json", content), order);
}

void check_refused(std::string_view content, std::string_view place, std::string_view why) {
  const scratch_folder folder;
  const auto path = folder.write("counts.json", content);
  check_fails([&] { token_counts::read(path); }, status::data, path.string() + ":" + std::string(place), why);
}

// n tokens "t0", "t1", ... with ids 0 .. n-1 and falling counts.
token_counts falling(int n) {
  std::vector<token_count> entries;
  for (int i = 0; i < n; ++i) entries.push_back({i, cat("t", i), static_cast<std::uint64_t>(5000 - i), 0});
  return {entries, token_order::count, "table"};
}

}  // namespace

BOOST_AUTO_TEST_SUITE(token_counts_table)

BOOST_AUTO_TEST_CASE(the_order_is_by_count_and_then_by_id_or_by_the_stored_ratio_and_then_the_file) {
  const token_counts table = read(small_table);
  BOOST_TEST((ids(table) == std::vector<std::int32_t>{9, 2, 5, 7}));
  BOOST_TEST((ids(read(small_table, token_order::stored_ratio)) == std::vector<std::int32_t>{5, 9, 2, 7}));
  BOOST_TEST(table.total() == 13U);
  BOOST_TEST(table.entries()[2].token == "the");
  BOOST_TEST(table.entries()[2].ratio == 0.4);
  BOOST_TEST(table.contains(7));
  BOOST_TEST(!table.contains(8));
}

BOOST_AUTO_TEST_CASE(buckets_end_at_places_10_100_and_1000_and_unknown_ids_are_rest) {
  const token_counts table = falling(1200);
  const auto bucket = [&](std::int32_t id) { return std::string(bucket_name(table.bucket_of(id))); };
  BOOST_TEST(bucket(0) == "top10");
  BOOST_TEST(bucket(9) == "top10");
  BOOST_TEST(bucket(10) == "top100");
  BOOST_TEST(bucket(99) == "top100");
  BOOST_TEST(bucket(100) == "top1000");
  BOOST_TEST(bucket(999) == "top1000");
  BOOST_TEST(bucket(1000) == "rest");
  BOOST_TEST(bucket(1199) == "rest");
  BOOST_TEST(bucket(1200) == "rest");
  BOOST_TEST(bucket(-1) == "rest");
}

BOOST_AUTO_TEST_CASE(entries_of_the_wrong_form_are_refused_with_their_line) {
  const auto refused = [](std::string_view entry, std::string_view why) {
    const std::string text =
        "{\"1\": {\"token\": \"a\", \"count\": 1, \"ratio\": 1},\n" + std::string(entry) + "}";
    for (const std::string_view part : {std::string_view("entry 1: "), why}) check_refused(text, "2:", part);
  };
  for (const char* id : {"-1", "x", "", "01", "1.0", " 2", "2147483648", "99999999999999999999", "2\\n"})
    refused(cat("\"", id, "\": {\"token\": \"a\", \"count\": 1, \"ratio\": 1}"),
            "is no token id; expected a whole number");
  refused(R"("1": {"token": "a", "count": 1, "ratio": 1})", "token id 1 is there twice, first on line 1");
  refused(R"("2": 3)", "the entry is not an object");
  refused(R"("2": {"count": 1, "ratio": 1})", "\"token\" is missing");
  refused(R"("2": {"token": 1, "count": 1, "ratio": 1})", "\"token\" is not a text");
  for (const char* count : {"-1", "1.5", "1.0", "\"1\"", "null", "18446744073709551616"})
    refused(cat(R"("2": {"token": "a", "count": )", count, R"(, "ratio": 1})"),
            "\"count\" of token 2 is missing or no whole");
  refused(R"("2": {"token": "a", "ratio": 1})", "\"count\" of token 2");
  for (const char* ratio : {"-0.5", "\"1\"", "null"})
    refused(cat(R"("2": {"token": "a", "count": 1, "ratio": )", ratio, "}"), "\"ratio\" of token 2");
  refused(R"("2": {"token": "a", "count": 1})", "\"ratio\" of token 2");
}

BOOST_AUTO_TEST_CASE(files_that_are_no_table_are_refused) {
  check_refused("[]", "1:", "expected a JSON object");
  check_refused("", "1:", "expected a JSON object");
  check_refused("{}", " ", "the table of token counts is empty");
  check_refused("{1: 2}", "1:", "a key in double quotes");
  check_refused("{\"1\" 2}", "1:", "\":\" after a key");
  check_refused("{\"1\": }", "1:", "a value");
  check_refused("{\"1\": {\"token\": \"a\", \"count\": 1, \"ratio\": NaN}}", "1:", "NaN is not JSON");
  check_refused("{\"1\": {\"token\": \"a\", \"count\": 1, \"ratio\": 1e999}}", "1:", "beyond the range");
  check_refused("{\"1\": {\"token\": \"a\", \"count\": 1, \"count\": 2, \"ratio\": 1}}",
                "1:", "occurs twice");
  constexpr std::string_view huge = R"(": {"token": "a", "count": 18446744073709551615, "ratio": 1})";
  check_refused(cat("{\"1", huge, ",\"2", huge, "}"), " ", "the sum of the counts");
}

BOOST_AUTO_TEST_CASE(a_table_cut_at_any_byte_is_refused_with_the_line_of_the_cut) {
  for (std::size_t length = 1; length < small_table.size(); ++length) {
    const std::string_view part = small_table.substr(0, length);
    const auto line = 1 + std::count(part.begin(), part.end(), '\n');
    check_refused(part, cat(line, ":"), "the file ends, it is cut short: expected");
  }
}

BOOST_AUTO_TEST_CASE(a_tokenizer_agrees_where_99_of_100_tokens_are_its_own) {
  const token_counts table = falling(200);
  const auto decode_but = [](int wrong) {
    return [wrong](std::int32_t id) { return std::optional(cat(id < wrong ? "other" : "t", id)); };
  };
  BOOST_CHECK_NO_THROW(table.check_tokenizer(decode_but(0)));
  BOOST_CHECK_NO_THROW(table.check_tokenizer(decode_but(2)));
  check_fails([&] { table.check_tokenizer(decode_but(3)); }, status::data,
              "table: ", "98.5 % of the tokens agree",
              "id 0 is \"t0\" in the table and \"other0\" in the model's tokenizer");
  const auto smaller = [](std::int32_t id) { return id < 190 ? std::optional(cat("t", id)) : std::nullopt; };
  check_fails([&] { table.check_tokenizer(smaller); }, status::data, "95 %", "id 190 is \"t190\"",
              "and no token in");
}

BOOST_AUTO_TEST_CASE(one_leading_blank_is_dropped_on_both_sides_and_parts_of_characters_are_left_out) {
  const auto agrees = [](std::string_view in_table, std::string_view decoded) {
    const token_counts table({{1, std::string(in_table), 1, 1}, {2, "a\xEF\xBF\xBD", 1, 1}},
                             token_order::count, "t");
    try {
      table.check_tokenizer(
          [&](std::int32_t id) { return std::optional<std::string>(id == 1 ? decoded : "?"); });
      return true;
    } catch (const error&) {
      return false;
    }
  };
  BOOST_TEST(agrees("the", " the"));
  BOOST_TEST(agrees(" the", "the"));
  BOOST_TEST(agrees("", " "));
  BOOST_TEST(agrees(" ", "  ") == false);
  BOOST_TEST(agrees("  the", " the") == false);
  BOOST_TEST(agrees("the", "The") == false);
  BOOST_TEST(agrees("a", "a\xFF") == false);
  const token_counts broken({{1, "\xEF\xBF\xBD", 1, 1}}, token_order::count, "t");
  check_fails([&] { broken.check_tokenizer([](std::int32_t) { return std::optional<std::string>("x"); }); },
              status::data, "no token of the table can be compared");
}

BOOST_AUTO_TEST_CASE(a_written_table_has_the_same_form_and_reads_back) {
  const scratch_folder folder;
  const auto path = folder.path() / "counts.json";
  write_token_counts(path,
                     {{3, "a\"\\\n\x01", 1, 0}, {1, "\xC3\xA9", 5, 0}, {2, "\xF0\x9F", 1, 0}, {0, "", 0, 0}});
  BOOST_TEST(read_bytes(path) ==
             "{\n"
             "\"1\": {\"token\": \"\xC3\xA9\", \"count\": 5, \"ratio\": 0.7142857142857143},\n"
             "\"2\": {\"token\": \"\xEF\xBF\xBD\", \"count\": 1, \"ratio\": 0.14285714285714285},\n"
             "\"3\": {\"token\": \"a\\\"\\\\\\n\\u0001\", \"count\": 1, \"ratio\": 0.14285714285714285},\n"
             "\"0\": {\"token\": \"\", \"count\": 0, \"ratio\": 0.0}\n"
             "}\n");
  const token_counts table = token_counts::read(path);
  BOOST_TEST((ids(table) == std::vector<std::int32_t>{1, 2, 3, 0}));
  BOOST_TEST(table.entries()[2].token == "a\"\\\n\x01");
  BOOST_TEST(table.total() == 7U);
  write_token_counts(path, {{3, "a", 0, 0}});
  BOOST_TEST(token_counts::read(path).total() == 0U);
  const auto nowhere = folder.path() / "none" / "counts.json";
  check_fails([&] { write_token_counts(nowhere, {}); }, status::cannot_create, nowhere.string());
}

BOOST_AUTO_TEST_CASE(the_reference_table_has_its_known_order_and_boundaries,
                     *boost::unit_test::precondition(test::with_reference)) {
  const auto path = test::reference_path() / "data/seed/token_frequency_Llama-2-7b-hf.json";
  const token_counts by_count = token_counts::read(path),
                     by_ratio = token_counts::read(path, token_order::stored_ratio);
  BOOST_TEST(by_count.total() == 201583677U);
  const std::vector<token_count>& entries = by_count.entries();
  BOOST_REQUIRE_EQUAL(entries.size(), 32000U);
  std::string top;
  for (int i = 0; i < 10; ++i) top += entries[static_cast<std::size_t>(i)].token + "|";
  BOOST_TEST(top == "the|,|.|of||and|1|in|to|0|");
  BOOST_TEST(entries[9].count == 2440843U);
  BOOST_TEST(entries[10].token == "a");
  BOOST_TEST(entries[12].token == "<s>");
  BOOST_TEST(entries[99].token == "ly");
  BOOST_TEST(entries[99].count == 165535U);
  BOOST_TEST(entries[100].token == "they");
  BOOST_TEST(entries[999].token == "cap");
  BOOST_TEST(entries[999].count == 22627U);
  BOOST_TEST(entries[1000].token == "ively");
  BOOST_TEST(std::count_if(entries.begin(), entries.end(),
                           [](const token_count& e) { return e.count == 0; }) == 2861);
  // The two orders differ from place 214 on but agree in every bucket.
  std::size_t same = 0;
  while (entries[same].id == by_ratio.entries()[same].id) ++same;
  BOOST_TEST(same == 214U);
  for (const token_count& entry : entries)
    BOOST_REQUIRE((by_count.bucket_of(entry.id) == by_ratio.bucket_of(entry.id)));
}

BOOST_AUTO_TEST_SUITE_END()
