// SPDX-License-Identifier: Apache-2.0
// Tokens as people are shown them in columns of a terminal.
#include "terminal/token_text.hpp"
#include "terminal/shades.hpp"

#include <boost/test/unit_test.hpp>

#include <string>

BOOST_AUTO_TEST_SUITE(token_texts)

using namespace depthlens;

BOOST_AUTO_TEST_CASE(white_space_of_a_token_is_visible) {
  BOOST_TEST(shown_token(" Paris") == "\u00b7Paris");
  BOOST_TEST(shown_token("\n\n") == "\u23ce\u23ce");
  BOOST_TEST(shown_token("\r\n\ta") == "\u240d\u23ce\u21e5a");
  BOOST_TEST(shown_text("Paris is\n") == "Paris is\u23ce");
  BOOST_TEST(shown_token("\u00a0\u3000") == "\\xc2\\xa0\\xe3\\x80\\x80");
}

BOOST_AUTO_TEST_CASE(what_has_no_form_of_its_own_is_shown_by_its_bytes) {
  BOOST_TEST(shown_token("a\u202eb") == "a\\xe2\\x80\\xaeb");  // right to left from here on
  BOOST_TEST(shown_token("\u2066\u200b\ufeff") == "\\xe2\\x81\\xa6\\xe2\\x80\\x8b\\xef\\xbb\\xbf");
  BOOST_TEST(shown_token("\u2028") == "\\xe2\\x80\\xa8");
  BOOST_TEST(shown_token("\x1b[2J") == "\\x1b[2J");
  BOOST_TEST(shown_token("\xc3") == "\\xc3");
  BOOST_TEST(shown_token(std::string("\0", 1)) == "\\x00");
  BOOST_TEST(shown_token("\\x41") == "\\x5cx41");
  BOOST_TEST(shown_token("\u3164\ufe0f") == "\\xe3\\x85\\xa4\\xef\\xb8\\x8f");
}

BOOST_AUTO_TEST_CASE(a_sign_that_stands_for_white_space_is_not_taken_for_it) {
  BOOST_TEST(shown_token("\u00b7") == "\\xc2\\xb7");
  BOOST_TEST(shown_token("\u23ce") == "\\xe2\\x8f\\x8e");
}

BOOST_AUTO_TEST_CASE(marks_heaped_on_a_letter_do_not_cover_other_lines) {
  BOOST_TEST(shown_token("a\u0301\u0301\u0301\u0301") == "a\u0301\u0301\u0301\u0301");
  BOOST_TEST(shown_token("a\u0301\u0301\u0301\u0301\u0301") == "a\u0301\u0301\u0301\u0301\\xcc\\x81");
}

BOOST_AUTO_TEST_CASE(letters_of_all_scripts_stay_as_they_are) {
  for (const char* text :
       {"caf\u00e9", "\u6771\u4eac", "\u0645\u0631\u062d\u0628\u0627", "\U0001f600", "e\u0301"})
    BOOST_TEST(shown_token(text) == text);
}

BOOST_AUTO_TEST_CASE(columns_count_wide_characters_twice_and_marks_not_at_all) {
  BOOST_TEST(column_text("ab", 4) == "ab  ");
  BOOST_TEST(column_text("abcdef", 4) == "abcd");
  BOOST_TEST(column_text("\u6771\u4eac\u90fd", 5) == "\u6771\u4eac ");
  BOOST_TEST(column_text("e\u0301x", 3) == "e\u0301x ");
  BOOST_TEST(shortened_text("abc", 3) == "abc");
  BOOST_TEST(shortened_text("\u6771\u4eac\u90fd", 2) == "\u6771\u4eac\u2026");
}

BOOST_AUTO_TEST_CASE(shades_set_both_colours_and_leave_what_is_unlikely) {
  BOOST_TEST(shaded("a", 0.04) == "a");
  BOOST_TEST(shaded("a", 0.05) == "\033[38;5;16;48;5;250ma\033[0m");
  BOOST_TEST(shaded("a", 1) == "\033[38;5;16;48;5;214ma\033[0m");
  BOOST_TEST(shade_legend().find("80 %") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
