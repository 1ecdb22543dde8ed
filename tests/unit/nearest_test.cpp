// SPDX-License-Identifier: Apache-2.0
// Which word a mistyped one was meant to be, and that far ones are none.
#include "depthlens/base/nearest.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <vector>

using namespace depthlens;

BOOST_AUTO_TEST_SUITE(nearest_word)

BOOST_AUTO_TEST_CASE(letters_dropped_added_changed_and_swapped_count_one_each) {
  BOOST_TEST(edit_distance("model", "model") == 0U);
  BOOST_TEST(edit_distance("modle", "model") == 1U);
  BOOST_TEST(edit_distance("moddel", "model") == 1U);
  BOOST_TEST(edit_distance("modl", "model") == 1U);
  BOOST_TEST(edit_distance("MODEL", "model") == 0U);
  BOOST_TEST(edit_distance("", "abc") == 3U);
  BOOST_TEST(edit_distance(std::string(5000, 'a'), std::string(5000, 'b')) == 64U);
}

BOOST_AUTO_TEST_CASE(the_nearest_word_is_found_or_the_one_that_was_begun) {
  const std::vector<std::string> words = {"--model", "--limit", "--precision", "--prompt", "--prompts"};
  BOOST_TEST(nearest("--modle", words) == "--model");
  BOOST_TEST(nearest("--prec", words) == "--precision");
  BOOST_TEST(nearest("--promtps", words) == "--prompts");
  BOOST_TEST(nearest("--colour", words) == "");
  BOOST_TEST(nearest("", words) == "");
  BOOST_TEST(suggestion("DETT", {"ADP", "DET"}) == "; did you mean DET?");
  BOOST_TEST(suggestion("zzzz", {"ADP", "DET"}) == "");
}

BOOST_AUTO_TEST_SUITE_END()
