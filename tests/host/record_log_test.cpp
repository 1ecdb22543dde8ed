// SPDX-License-Identifier: Apache-2.0
// The record log: what is appended is there when it is opened again, whatever a killed process left at its
// end.
#include "results/record_log.hpp"

#include "depthlens/abi_error.hpp"
#include "depthlens/experiment.hpp"
#include "unit/data_files.hpp"

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
  log.each(sets, all,
           [&](const entry& e) { out.emplace_back(to_view(e.rows().at(0).values.at(0).as.text)); });
  return out;
}

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
  log.each(
      {"a"}, [](const record_key& k) { return k.index < 12; },
      [&](const entry& e) { limited.push_back(cat(e.key().set, e.key().index)); });
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
  log.append(key, out.take());

  const auto e = log.get(key);
  BOOST_TEST((e->key() == key));
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
      record_log log(file);
      BOOST_REQUIRE_EQUAL(log.size(), 2U);
      BOOST_REQUIRE_EQUAL(std::filesystem::file_size(file), before);
      add(log, {"", 2, 1}, "the torn one");
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
    check_fails([&] { const entry e(whole.substr(0, size), "a.log"); }, status::data, "a.log", "ends too early");
}

BOOST_AUTO_TEST_CASE(a_refused_log_leaves_no_file_open) {
  const scratch_folder folder;
  const auto file = folder.write("a.log", "some other file of the user");
  const auto open_files = [] {
    return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), std::filesystem::directory_iterator());
  };
  const auto before = open_files();
  for (int i = 0; i < 8; ++i)
    check_fails([&] { const record_log log(file); }, status::config, "not a record log");
  BOOST_TEST(open_files() == before);
}

BOOST_AUTO_TEST_SUITE_END()
