// SPDX-License-Identifier: Apache-2.0
// The reversible visible form of token text, and white space as Python has it.
#include "depthlens/base/text.hpp"

#include "depthlens/base/utf8.hpp"

#include <boost/test/unit_test.hpp>

#include <random>
#include <string>

using namespace depthlens;
using namespace std::string_literals;

BOOST_AUTO_TEST_SUITE(tokenizer_text)

BOOST_AUTO_TEST_CASE(a_line_for_a_terminal_has_no_control_characters) {
  BOOST_TEST(visible_line("a\x1b[2J\nb\x07") == "a\\x1b[2J\\x0ab\\x07");
  BOOST_TEST(visible_line("\xC2\x9B"
                          "31m \x7f \xC3\xA9") == "\\xc2\\x9b31m \\x7f \xC3\xA9");
  BOOST_TEST(visible_line("plain \xFF") == "plain \\xff");
}

BOOST_AUTO_TEST_CASE(valid_text_is_visible_as_it_is) {
  BOOST_TEST(visible("a \"b\"\n\tc, \xC3\xA9 \xE2\x82\xAC \xF0\x9F\xA6\x99") ==
             "a \"b\"\n\tc, \xC3\xA9 \xE2\x82\xAC \xF0\x9F\xA6\x99");
  BOOST_TEST(visible("\\n C:\\dir \\") == "\\n C:\\dir \\");
  BOOST_TEST(visible("").empty());
}

BOOST_AUTO_TEST_CASE(broken_bytes_nul_and_what_looks_like_an_escape_are_escaped) {
  BOOST_TEST(visible("\xC3") == "\\xc3");
  BOOST_TEST(visible("a\xFF\xE2\x82z") == "a\\xff\\xe2\\x82z");
  BOOST_TEST(visible("\xED\xA0\x80") == "\\xed\\xa0\\x80");  // a surrogate
  BOOST_TEST(visible("\xC0\x80") == "\\xc0\\x80");           // an overlong NUL
  BOOST_TEST(visible("a\0b"s) == "a\\x00b");
  BOOST_TEST(visible("\\x41") == "\\x5cx41");
}

BOOST_AUTO_TEST_CASE(the_visible_form_can_be_undone_and_is_always_valid) {
  std::mt19937 random(4);
  const std::string alphabet = "\\x5cC3\0\xC3\xA9\xFF\xE2\x82\xAC a"s;
  for (int i = 0; i < 5000; ++i) {
    std::string bytes;
    for (std::size_t n = random() % 12; n > 0; --n) bytes += alphabet[random() % alphabet.size()];
    const std::string text = visible(bytes);
    BOOST_TEST_REQUIRE(from_visible(text) == bytes);
    BOOST_TEST_REQUIRE(utf8_first_broken(text) == std::string::npos);
    BOOST_TEST_REQUIRE(text.find('\0') == std::string::npos);
  }
}

BOOST_AUTO_TEST_CASE(undoing_leaves_what_is_no_escape) {
  BOOST_TEST(from_visible("\\x4 \\xzz \\X41 \\x4A\\x4a") == "\\x4 \\xzz \\X41 JJ");
}

BOOST_AUTO_TEST_CASE(white_space_is_that_of_python) {
  for (const char* text :
       {" ", "\t\n\v\f\r", "\x1C\x1D\x1E\x1F", "\xC2\x85", "\xC2\xA0", "\xE1\x9A\x80", "\xE2\x80\x80",
        "\xE2\x80\x8A", "\xE2\x80\xA8", "\xE2\x80\xA9", "\xE2\x80\xAF", "\xE2\x81\x9F", "\xE3\x80\x80"}) {
    BOOST_TEST(is_white_space(text), visible(text));
  }
  for (const char* text :
       {"", "a", " a", "\x1B", "\xE2\x80\x8B", "\xE1\xA0\x8E", "\xEF\xBB\xBF", " \xFF", "\xC2"}) {
    BOOST_TEST(!is_white_space(text), visible(text));
  }
}

BOOST_AUTO_TEST_SUITE_END()
