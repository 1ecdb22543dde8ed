// SPDX-License-Identifier: Apache-2.0
// The record log: what is appended is there when it is opened again, whatever a killed process left at its
// end.
#include "log/record_log.hpp"

#include "depthlens/base/abi_error.hpp"
#include "depthlens/experiment.hpp"
#include "support/allocation_meter.hpp"
#include "support/data_files.hpp"

#include <boost/test/unit_test.hpp>

#include <cmath>
#include <filesystem>
#include <iterator>
#include <limits>
#include <string>
#include <vector>

BOOST_AUTO_TEST_SUITE(record_logs)

namespace {

using namespace depthlens;
using test::check_fails;
using test::read_bytes;
using test::scratch_folder;

bool all(const record_key&) { return true; }

// A record with one row (its text) and one count.
std::string payload_of(const record_key& key, std::string_view text) {
  entry_writer out(key);
  const dlens_value v = text_value(text);
  out.row("t", &v, 1);
  out.count(key.set, "", 1);
  return out.take();
}

void add(record_log& log, const record_key& key, std::string_view text) {
  log.append(key, payload_of(key, text));
}

std::string text_of(const record_log& log, const record_key& key) {
  return std::string(to_view(log.get(key)->rows().at(0).values.at(0).as.text));
}

std::vector<std::string> texts(const record_log& log, const std::vector<std::string>& sets) {
  std::vector<std::string> out;
  auto records = log.read(sets, all);
  while (const auto e = records.next()) out.emplace_back(to_view(e->rows().at(0).values.at(0).as.text));
  return out;
}

// A log of records 0..n-1 of one set, and the places where their entries begin, the end of the file last.
struct made_log {
  std::string bytes;
  std::vector<std::size_t> begins;

  explicit made_log(std::uint64_t n) {
    const scratch_folder folder;
    const auto file = folder.path() / "a.log";
    record_log log(file);
    for (std::uint64_t i = 0; i <= n; ++i) {
      begins.push_back(std::filesystem::file_size(file));
      if (i < n) add(log, {"s", i, 1}, cat("record ", i));
    }
    bytes = read_bytes(file);
  }
};

// Opens the log in `file`, with the lines of warning.
struct watched_log {
  std::vector<std::string> warnings;
  record_log log;
  explicit watched_log(const std::filesystem::path& file)
      : log(file, [this](std::string_view line) { warnings.emplace_back(line); }) {}
};

}  // namespace

BOOST_AUTO_TEST_CASE(records_are_there_when_the_log_is_opened_again) {
  const scratch_folder folder;
  const auto file = folder.path() / "a.log";
  {
    record_log log(file);
    BOOST_TEST(log.size() == 0U);
    add(log, {"", 0, 7}, "zero");
    add(log, {"", 1, 8}, "one");
    log.sync();
    BOOST_TEST(text_of(log, {"", 1, 8}) == "one");
  }
  {
    record_log log(file);
    BOOST_TEST(log.size() == 2U);
    add(log, {"", 2, 9}, "two");
  }
  const record_log log(file);
  BOOST_TEST(log.size() == 3U);
  BOOST_TEST(texts(log, {""}) == (std::vector<std::string>{"zero", "one", "two"}),
             boost::test_tools::per_element());
  BOOST_TEST(log.has({"", 2, 9}));
  BOOST_TEST(!log.has({"", 2, 10}));
  BOOST_TEST(!log.has({"x", 2, 9}));
}

BOOST_AUTO_TEST_CASE(records_come_in_the_order_of_sets_and_rows_not_of_work) {
  const scratch_folder folder;
  record_log log(folder.path() / "a.log");
  for (const std::uint64_t index : {12, 3, 256, 0}) {
    add(log, {"b", index, 1}, cat("b", index));
    add(log, {"a", index, 1}, cat("a", index));
  }
  add(log, {"c", 1, 1}, "not wanted");
  const std::vector<std::string> expected = {"b0", "b3", "b12", "b256", "a0", "a3", "a12", "a256"};
  BOOST_TEST(texts(log, {"b", "a"}) == expected, boost::test_tools::per_element());
  std::vector<std::string> limited;
  auto records = log.read({"a"}, [](const record_key& k) { return k.index < 12; });
  while (const auto e = records.next()) limited.push_back(cat(e->key().set, e->key().index));
  BOOST_TEST(limited == (std::vector<std::string>{"a0", "a3"}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(values_of_every_type_come_back_as_they_were) {
  const scratch_folder folder;
  record_log log(folder.path() / "a.log");
  const record_key key{"set \xc3\xa9", 1234567890123, 0xFFFFFFFFFFFFFFFF};
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const std::string binary("a\0b\n\"\xff", 6);
  const std::vector<dlens_value> row = {i64_value(std::numeric_limits<std::int64_t>::min()),
                                        f64_value(0.1),
                                        f64_value(-0.0),
                                        f64_value(nan),
                                        f64_value(std::numeric_limits<double>::denorm_min()),
                                        f32_value(0.1F),
                                        f32_value(std::numeric_limits<float>::infinity()),
                                        text_value(binary),
                                        text_value(""),
                                        null_value()};
  entry_writer out(key);
  out.row("first", row.data(), row.size());
  out.row("empty", nullptr, 0);
  out.count("s", "", 3);
  out.count("s", "white space", std::numeric_limits<std::uint64_t>::max());
  out.device("cpu (a)");
  log.append(key, out.take());

  const auto e = log.get(key);
  BOOST_TEST((e->key() == key));
  BOOST_TEST(e->device().value() == "cpu (a)");
  BOOST_REQUIRE_EQUAL(e->rows().size(), 2U);
  BOOST_TEST(e->rows()[0].table == "first");
  BOOST_TEST(e->rows()[1].table == "empty");
  BOOST_TEST(e->rows()[1].values.empty());
  const std::vector<dlens_value>& back = e->rows()[0].values;
  BOOST_REQUIRE_EQUAL(back.size(), row.size());
  for (std::size_t i = 0; i < row.size(); ++i) BOOST_TEST(back[i].type == row[i].type);
  BOOST_TEST(back[0].as.i64 == row[0].as.i64);
  BOOST_TEST(back[1].as.f64 == 0.1);
  BOOST_TEST(std::signbit(back[2].as.f64));
  BOOST_TEST(std::isnan(back[3].as.f64));
  BOOST_TEST(back[4].as.f64 == std::numeric_limits<double>::denorm_min());
  BOOST_TEST(static_cast<float>(back[5].as.f64) == 0.1F);
  BOOST_TEST(std::isinf(back[6].as.f64));
  BOOST_TEST(to_view(back[7].as.text) == binary);
  BOOST_TEST(to_view(back[8].as.text).empty());
  BOOST_REQUIRE_EQUAL(e->counts().size(), 2U);
  BOOST_TEST(e->counts()[0].reason == "");
  BOOST_TEST(e->counts()[1].reason == "white space");
  BOOST_TEST(e->counts()[1].n == std::numeric_limits<std::uint64_t>::max());
}

BOOST_AUTO_TEST_CASE(a_tail_torn_at_any_byte_is_cut_and_the_log_goes_on) {
  const scratch_folder folder;
  const auto file = folder.path() / "a.log";
  {
    record_log log(file);
    add(log, {"", 0, 1}, "first");
    add(log, {"", 1, 1}, "second");
  }
  const std::size_t before = std::filesystem::file_size(file);
  {
    record_log log(file);
    add(log, {"", 2, 1}, "the torn one");
  }
  const std::string whole = read_bytes(file);
  BOOST_REQUIRE_GT(whole.size(), before);
  for (std::size_t size = before; size < whole.size(); ++size) {
    folder.write("a.log", whole.substr(0, size));
    {
      watched_log opened(file);
      BOOST_REQUIRE_EQUAL(opened.log.size(), 2U);
      BOOST_REQUIRE(opened.warnings.empty());
      BOOST_REQUIRE_EQUAL(std::filesystem::file_size(file), before);
      add(opened.log, {"", 2, 1}, "the torn one");
    }
    BOOST_REQUIRE(read_bytes(file) == whole);
  }
}

BOOST_AUTO_TEST_CASE(a_flipped_byte_anywhere_in_the_last_record_is_found) {
  const scratch_folder folder;
  const auto file = folder.path() / "a.log";
  std::size_t before = 0;
  {
    record_log log(file);
    add(log, {"", 0, 1}, "first");
    before = std::filesystem::file_size(file);
    add(log, {"", 1, 1}, "second");
  }
  const std::string whole = read_bytes(file);
  for (std::size_t at = before; at < whole.size(); ++at) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
    folder.write("a.log", damaged);
    const record_log log(file);
    BOOST_REQUIRE_EQUAL(log.size(), 1U);
    BOOST_REQUIRE(log.has({"", 0, 1}));
  }
}

BOOST_AUTO_TEST_CASE(a_flipped_byte_in_the_middle_costs_the_record_it_is_in_and_no_other) {
  const scratch_folder folder;
  const made_log whole(5);
  const auto file = folder.path() / "a.log";
  for (const std::size_t damaged : {0U, 2U, 3U}) {
    const std::size_t length = whole.begins[damaged + 1] - whole.begins[damaged];
    for (std::size_t at = whole.begins[damaged]; at < whole.begins[damaged + 1]; ++at) {
      std::string bytes = whole.bytes;
      bytes[at] = static_cast<char>(bytes[at] ^ 0x10);
      folder.write("a.log", bytes);
      {
        watched_log opened(file);
        BOOST_REQUIRE_EQUAL(opened.log.size(), 4U);
        BOOST_REQUIRE(!opened.log.has({"s", damaged, 1}));
        BOOST_REQUIRE_EQUAL(opened.warnings.size(), 1U);
        BOOST_REQUIRE(opened.warnings[0].find(cat(file.string(), ": ", length, " bytes in 1 place")) == 0);
        add(opened.log, {"s", damaged, 1}, cat("record ", damaged));
      }
      const watched_log again(file);
      BOOST_REQUIRE_EQUAL(again.warnings.size(), 1U);
      BOOST_REQUIRE(texts(again.log, {"s"}) ==
                    (std::vector<std::string>{"record 0", "record 1", "record 2", "record 3", "record 4"}));
    }
  }
}

BOOST_AUTO_TEST_CASE(bytes_that_are_lost_or_put_in_between_cost_the_records_they_touch) {
  const scratch_folder folder;
  const made_log whole(6);
  std::string bytes = whole.bytes;
  bytes.insert(whole.begins[5], std::string(100000, '\x20'));            // longer than what is read at once
  bytes.erase(whole.begins[2] + 20, whole.begins[3] - whole.begins[2]);  // from record 2 into record 3
  watched_log opened(folder.write("a.log", bytes));
  BOOST_TEST(
      texts(opened.log, {"s"}) == (std::vector<std::string>{"record 0", "record 1", "record 4", "record 5"}),
      boost::test_tools::per_element());
  BOOST_REQUIRE_EQUAL(opened.warnings.size(), 1U);
  BOOST_TEST(opened.warnings[0].find(cat(100000 + whole.begins[4] - whole.begins[3], " bytes in 2 places")) !=
                 std::string::npos,
             opened.warnings[0]);
}

BOOST_AUTO_TEST_CASE(a_damaged_end_is_cut_and_said_with_its_bytes) {
  const scratch_folder folder;
  const made_log whole(3);
  std::string bytes = whole.bytes;
  for (std::size_t at = whole.begins[1] + 4; at < bytes.size(); at += 8) bytes[at] = '\xee';
  const auto file = folder.write("a.log", bytes);
  {
    watched_log opened(file);
    BOOST_TEST(texts(opened.log, {"s"}) == (std::vector<std::string>{"record 0"}),
               boost::test_tools::per_element());
    BOOST_REQUIRE_EQUAL(opened.warnings.size(), 1U);
    BOOST_TEST(opened.warnings[0].find(cat("the last ", bytes.size() - whole.begins[1], " bytes")) !=
                   std::string::npos,
               opened.warnings[0]);
    for (const std::uint64_t i : {1, 2}) add(opened.log, {"s", i, 1}, cat("record ", i));
  }
  BOOST_TEST(read_bytes(file) == whole.bytes);
  BOOST_TEST(watched_log(file).warnings.empty());
}

BOOST_AUTO_TEST_CASE(an_end_that_is_too_long_for_a_torn_record_is_said) {
  const scratch_folder folder;
  const auto file = folder.path() / "a.log";
  for (const std::size_t longest : {std::size_t{10}, std::size_t{300000}}) {
    std::filesystem::remove(file);
    std::size_t before = 0;
    {
      record_log log(file);
      add(log, {"s", 0, 1}, std::string(longest, 'x'));
      before = std::filesystem::file_size(file);
      add(log, {"s", 1, 1}, std::string(200000, 'x'));
    }
    const std::size_t size = std::filesystem::file_size(file) - 1000;
    std::filesystem::resize_file(file, size);
    const watched_log opened(file);
    BOOST_TEST(opened.log.size() == 1U);
    BOOST_TEST(opened.warnings.size() == (longest == 10 ? 1U : 0U));
    if (!opened.warnings.empty())
      BOOST_TEST(opened.warnings[0].find(cat("the last ", size - before, " bytes")) != std::string::npos);
  }
}

BOOST_AUTO_TEST_CASE(a_log_is_as_small_in_memory_as_it_is_promised) {
  const scratch_folder folder;
  const auto file = folder.path() / "a.log";
  constexpr std::uint64_t n = 20000;
  {
    record_log log(file);
    for (std::uint64_t i = 0; i < n; ++i) add(log, {"some.set.of.a.long.name", i ^ 1, i}, "x");
  }
  const test::allocation_meter meter;
  const record_log log(file);
  BOOST_TEST(log.size() == n);
  BOOST_TEST(meter.peak() < n * 28 + (128 << 10));
}

BOOST_AUTO_TEST_CASE(a_search_for_whole_records_ends_however_many_places_look_like_one) {
  // Every eighth place says that it is an entry of 16 MiB with a fitting key: to check all would be to read
  // 2^45 bytes.
  const scratch_folder folder;
  std::string bytes = made_log(1).bytes;
  const std::size_t before = bytes.size();
  while (bytes.size() < (34U << 20)) bytes += std::string("\0\0\0\1\0\0\0\0", 8);
  watched_log opened(folder.write("a.log", bytes));
  BOOST_TEST(opened.log.size() == 1U);
  BOOST_REQUIRE_EQUAL(opened.warnings.size(), 1U);
  BOOST_TEST(opened.warnings[0].find(cat("the last ", bytes.size() - before, " bytes")) != std::string::npos,
             opened.warnings[0]);
}

BOOST_AUTO_TEST_CASE(a_header_torn_at_any_byte_gives_an_empty_log) {
  const scratch_folder folder;
  const auto file = folder.path() / "a.log";
  { const record_log log(file); }
  const std::string header = read_bytes(file);
  for (std::size_t size = 0; size < header.size(); ++size) {
    folder.write("a.log", header.substr(0, size));
    const record_log log(file);
    BOOST_REQUIRE_EQUAL(log.size(), 0U);
    BOOST_REQUIRE(read_bytes(file) == header);
  }
}

BOOST_AUTO_TEST_CASE(a_file_that_is_no_record_log_is_refused_and_left_alone) {
  const scratch_folder folder;
  for (const std::string content : {"depthlens log 9\nxxxx", "some other file of the user"}) {
    const auto file = folder.write("a.log", content);
    check_fails([&] { const record_log log(file); }, status::config, file.string(), "not a record log",
                "--fresh");
    BOOST_TEST(read_bytes(file) == content);
  }
}

BOOST_AUTO_TEST_CASE(a_log_that_cannot_be_created_is_said_with_its_path) {
  const scratch_folder folder;
  const auto file = folder.write("plain", "") / "a.log";
  check_fails([&] { const record_log log(file); }, status::cannot_create, file.string());
}

BOOST_AUTO_TEST_CASE(a_record_written_twice_counts_once_and_the_later_one_stays) {
  const scratch_folder folder;
  const auto file = folder.path() / "a.log";
  {
    record_log log(file);
    add(log, {"", 0, 1}, "old");
    add(log, {"", 0, 1}, "new");
    BOOST_TEST(text_of(log, {"", 0, 1}) == "new");
  }
  const record_log log(file);
  BOOST_TEST(log.size() == 1U);
  BOOST_TEST(text_of(log, {"", 0, 1}) == "new");
}

BOOST_AUTO_TEST_CASE(a_payload_with_lying_lengths_is_an_error_and_no_crash) {
  const record_key key{"set", 1, 2};
  const std::string whole = payload_of(key, "text");
  for (std::size_t size = 0; size < whole.size(); ++size)
    check_fails([&] { const entry e(whole.substr(0, size), "a.log"); }, status::data, "a.log",
                "ends too early");
}

BOOST_AUTO_TEST_CASE(a_refused_log_leaves_no_file_open) {
  const scratch_folder folder;
  const auto file = folder.write("a.log", "some other file of the user");
  const auto open_files = [] {
    return std::distance(std::filesystem::directory_iterator("/proc/self/fd"),
                         std::filesystem::directory_iterator());
  };
  const auto before = open_files();
  for (int i = 0; i < 8; ++i)
    check_fails([&] { const record_log log(file); }, status::config, "not a record log");
  BOOST_TEST(open_files() == before);
}

BOOST_AUTO_TEST_SUITE_END()
