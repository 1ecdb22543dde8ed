// SPDX-License-Identifier: Apache-2.0
// Records that are not read as numbers, and texts that are no UTF-8: what of them comes into tables and
// counts.
#include "engine/row_values.hpp"
#include "host/fake_run.hpp"

#include <boost/test/unit_test.hpp>

#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

BOOST_AUTO_TEST_SUITE(not_finite)

namespace {

using namespace depthlens;
using test::fake_backend;
using test::fake_run;
using test::lines;
using test::run_result;
using test::run_setting;

}  // namespace

// The prompts are of the bytes a and b, which are tokens 'a' and 'b' of the fake model.
BOOST_AUTO_TEST_CASE(a_record_that_is_not_read_as_numbers_is_not_kept_whatever_the_experiment_makes_of_it) {
  const fake_run run({"aaa", "aba", "aa", "b", "aaaa"});
  const auto go = [&](const std::string& fault, bool poisoned) {
    fake_backend backend(fake_run::kVocabulary);
    if (poisoned) backend.poison = run.tokens().encode_text("b").at(0);
    run_setting s;
    s.fault = fault;
    s.words = {"fake"};
    for (const std::string& lens : s.lenses) std::filesystem::remove(run.log("fake", lens));
    return run.go(backend, s);
  };
  const run_result whole = go("", false), without = go("", true);
  BOOST_TEST(!whole.not_finite.has_value());
  BOOST_REQUIRE(without.not_finite.has_value());
  BOOST_TEST(without.not_finite->record == 1U);
  BOOST_TEST(without.not_finite->ids.size() >= 2U);
  for (const kept_counts& counts : without.kept) {
    BOOST_TEST(counts.at("").at("") == 3U);
    BOOST_TEST(counts.at("").at("not finite") == 2U);
  }
  for (const auto& [file, text] : whole.csv) {
    if (file.ends_with("mean_rank_logit.csv") || file.ends_with("mean_rank_tuned.csv")) continue;
    const auto expected = lines(text), got = lines(without.csv.at(file));
    const bool prompts = file.ends_with("prompts_fake.csv");
    std::vector<std::string> rest;
    for (const std::string& row : expected)
      if (!row.starts_with("1,") && !row.starts_with("3,")) rest.push_back(row);
    std::vector<std::string> kept;
    for (const std::string& row : got) {
      const bool bad = row.starts_with("1,") || row.starts_with("3,");
      if (!bad) kept.push_back(row);
      BOOST_TEST((!bad || (prompts && row.find("not finite") != std::string::npos)), file << ": " << row);
    }
    BOOST_TEST(kept == rest, boost::test_tools::per_element());
    if (prompts) BOOST_TEST(got.size() == expected.size());
  }
  // One that cannot make sense of such readings is not to blame for it.
  const run_result thrown = go("throws", true);
  BOOST_TEST(thrown.finished);
  BOOST_TEST(thrown.kept.front().at("").at("not finite") == 2U);
}

BOOST_AUTO_TEST_CASE(texts_that_are_no_utf8_come_into_tables_in_the_reversible_form) {
  const dlens_value given[] = {i64_value(3), text_value("a\xff\\x"), text_value("plain \\x41")};
  const row_values clean(given, 3);
  BOOST_TEST(to_view(clean.data()[1].as.text) == "a\\xff\\x5cx");
  BOOST_TEST(from_visible(to_view(clean.data()[1].as.text)) == "a\xff\\x");
  BOOST_TEST(to_view(clean.data()[2].as.text) == "plain \\x41");
  BOOST_TEST(clean.data()[0].as.i64 == 3);
  const row_values same(given + 2, 1);
  BOOST_TEST((same.data() == given + 2));
}

BOOST_AUTO_TEST_SUITE_END()
