// SPDX-License-Identifier: Apache-2.0
// Texts from outside in gnuplot scripts. That gnuplot does not run them is figures_hostile_test.cpp.
#include "figures/gnuplot_text.hpp"
#include "figures/text_width.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <limits>
#include <string>

using namespace depthlens;

namespace {

// Is it one single-quoted string on one line, without a quote inside?
bool is_quoted(const std::string& text) {
  if (text.size() < 2 || text.front() != '\'' || text.back() != '\'') return false;
  return std::all_of(text.begin() + 1, text.end() - 1, [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte >= 0x20 && byte != 0x7F && c != '\'';
  });
}

}  // namespace

BOOST_AUTO_TEST_SUITE(gnuplot_text)

BOOST_AUTO_TEST_CASE(plain_texts_stay_as_they_are_between_single_quotes) {
  BOOST_TEST(gnuplot_quote("") == "''");
  BOOST_TEST(gnuplot_quote("Layer 7") == "'Layer 7'");
  BOOST_TEST(gnuplot_quote("a_b^{c} @x `id` $(id) \"q\" \\n %d EOD") ==
             "'a_b^{c} @x `id` $(id) \"q\" \\n %d EOD'");
  BOOST_TEST(gnuplot_quote("na\xC3\xAFve \xE2\x80\x93 \xE6\x97\xA5") ==
             "'na\xC3\xAFve \xE2\x80\x93 \xE6\x97\xA5'");
}

BOOST_AUTO_TEST_CASE(quotes_become_typographic_ones) {
  const std::string q = "\xE2\x80\x99";
  BOOST_TEST(gnuplot_quote("it's") == "'it" + q + "s'");
  BOOST_TEST(gnuplot_quote("''; system('id') #") == "'" + q + q + "; system(" + q + "id" + q + ") #'");
}

BOOST_AUTO_TEST_CASE(file_names_stay_exact) {
  BOOST_TEST(gnuplot_file_name("./a`b\"c") == "'./a`b\"c'");
  BOOST_TEST(gnuplot_file_name("./it's") == "'./it' . \"'\" . 's'");
  BOOST_TEST(gnuplot_file_name("./''") == "'./' . \"'\" . '' . \"'\" . ''");
}

BOOST_AUTO_TEST_CASE(control_characters_become_blanks) {
  BOOST_TEST(gnuplot_quote("a\nb\r\nc\td") == "'a b  c d'");
  BOOST_TEST(gnuplot_quote(std::string("a\0b\x1B[31m\x7F", 9)) == "'a b [31m '");
  // U+0085, U+2028, U+2029 end lines elsewhere; U+202E turns the rest of the line round.
  BOOST_TEST(gnuplot_quote("a\xC2\x85"
                           "b\xE2\x80\xA8"
                           "c\xE2\x80\xA9"
                           "d\xE2\x80\xAE"
                           "e") == "'a b c d e'");
}

BOOST_AUTO_TEST_CASE(bytes_that_are_no_utf8_become_question_marks) {
  BOOST_TEST(gnuplot_quote("a\xFF"
                           "b\xC3") == "'a?b?'");
  BOOST_TEST(gnuplot_quote("\xED\xA0\x80") == "'" + std::string(3, '?') + "'");
}

BOOST_AUTO_TEST_CASE(long_texts_are_cut_between_characters) {
  const std::string million(1U << 20, '\'');
  BOOST_TEST(gnuplot_quote(million).size() == 3 * max_figure_text + 3 + 2);
  BOOST_TEST(is_quoted(gnuplot_quote(million)));
  std::string umlauts;
  for (int i = 0; i < 1000; ++i) umlauts += "\xC3\xA4";
  BOOST_TEST(figure_line(umlauts, 3) == "\xC3\xA4\xC3\xA4\xC3\xA4...");
}

BOOST_AUTO_TEST_CASE(every_pair_of_bytes_stays_inside_the_quotes) {
  for (int a = 0; a < 256; ++a)
    for (int b = 0; b < 256; ++b) {
      const std::string text = {static_cast<char>(a), static_cast<char>(b)};
      if (!is_quoted(gnuplot_quote(text)) || !is_quoted(gnuplot_quote_tick(text)))
        BOOST_ERROR("bytes " << a << ", " << b << " break out: " << gnuplot_quote(text));
    }
}

BOOST_AUTO_TEST_CASE(tick_labels_are_no_number_formats) {
  BOOST_TEST(gnuplot_quote_tick("100%") == "'100%%'");
  BOOST_TEST(gnuplot_quote_tick("%s%n") == "'%%s%%n'");
}

BOOST_AUTO_TEST_CASE(numbers_are_the_shortest_that_read_back) {
  BOOST_TEST(gnuplot_number(0.1) == "0.1");
  BOOST_TEST(gnuplot_number(-3) == "-3");
  BOOST_TEST(gnuplot_number(1e300) == "1e+300");
  BOOST_TEST(gnuplot_number(std::numeric_limits<double>::quiet_NaN()) == "NaN");
  BOOST_TEST(gnuplot_number(-std::numeric_limits<double>::infinity()) == "NaN");
  BOOST_TEST(gnuplot_coordinate(12.3456) == "12.35");
  BOOST_TEST(gnuplot_coordinate(-0.001) == "0");
}

BOOST_AUTO_TEST_CASE(widths_are_those_of_the_font) {
  BOOST_TEST(text_width("", 8) == 0);
  BOOST_TEST(text_width("AWi 1", 10) == 6.67 + 9.44 + 2.22 + 2.78 + 5.56,
             boost::test_tools::tolerance(1e-12));
  BOOST_TEST(text_width("\xE6\x97\xA5", 8) == 8);
}

BOOST_AUTO_TEST_CASE(texts_are_shortened_until_they_fit) {
  const std::string name = "organisation/some-model-70B-Instruct";
  BOOST_TEST(fit_text(name, 8, 1000, shorten::middle) == name);
  for (const double width : {120.0, 60.0, 20.0}) {
    const std::string middle = fit_text(name, 8, width, shorten::middle),
                      end = fit_text(name, 8, width, shorten::end);
    BOOST_TEST(text_width(middle, 8) <= width);
    BOOST_TEST(text_width(end, 8) <= width);
    BOOST_TEST(name.starts_with(end.substr(0, end.find("..."))));
    BOOST_TEST(name.ends_with(middle.substr(middle.find("...") + 3)));
  }
  BOOST_TEST(fit_text(name, 8, 60, shorten::end) == "organisation/s...");
  BOOST_TEST(fit_text(name, 8, -5, shorten::end) == "...");
}

BOOST_AUTO_TEST_SUITE_END()
