// SPDX-License-Identifier: Apache-2.0
// Texts from outside in a page: they stay texts, all of each is seen, and none turns what stands beside it.
#include "html/html_text.hpp"
#include "html/page_head.hpp"

#include <boost/test/unit_test.hpp>

#include <string>

using namespace depthlens;

BOOST_AUTO_TEST_SUITE(html)

BOOST_AUTO_TEST_CASE(markup_and_quotes_are_escaped_for_elements_and_attributes_alike) {
  BOOST_TEST(html_text("</script><b a=\"x\" c='y'>&amp;") ==
             "&lt;/script&gt;&lt;b a=&quot;x&quot; c=&#39;y&#39;&gt;&amp;amp;");
  BOOST_TEST(html_text("plain, 1 = 1; na\xC3\xAFve \xE6\x97\xA5") ==
             "plain, 1 = 1; na\xC3\xAFve \xE6\x97\xA5");
  BOOST_TEST(html_text("") == "");
}

BOOST_AUTO_TEST_CASE(characters_that_are_not_seen_are_written_out) {
  BOOST_TEST(html_text("a\nb\tc\rd") == "a\\nb\\tc\\u000dd");
  BOOST_TEST(html_text(std::string("\0\x1b[31m\x7f", 7)) == "\\u0000\\u001b[31m\\u007f");
  BOOST_TEST(html_text("\xE2\x80\xAE"
                       "abc"
                       "\xE2\x80\xAC") == "\\u202eabc\\u202c");  // turned around
  BOOST_TEST(html_text("\xE2\x81\xA6"
                       "a"
                       "\xE2\x81\xA9"
                       "\xE2\x80\x8F"
                       "\xD8\x9C") == "\\u2066a\\u2069\\u200f\\u061c");
  BOOST_TEST(html_text("\xEF\xBB\xBF"
                       "a"
                       "\xE2\x80\x8B"
                       "\xC2\xAD") == "\\ufeffa\\u200b\\u00ad");
  BOOST_TEST(html_text("\xE2\x80\xA8"
                       "\xEF\xBF\xBE"
                       "\xEF\xB7\x90") == "\\u2028\\ufffe\\ufdd0");
  BOOST_TEST(html_text("\xF3\xA0\x81\x81"
                       "\xF4\x8F\xBF\xBF") == "\\ue0041\\u10ffff");
}

BOOST_AUTO_TEST_CASE(joiners_stay_since_scripts_and_emoji_are_written_with_them) {
  const std::string family = "\xF0\x9F\x91\xA9\xE2\x80\x8D\xF0\x9F\x91\xA7",
                    farsi = "\xD9\x85\xE2\x80\x8C\xDB\x8C";
  BOOST_TEST(html_text(family) == family);
  BOOST_TEST(html_text(farsi) == farsi);
}

BOOST_AUTO_TEST_CASE(broken_bytes_are_shown_as_such) {
  BOOST_TEST(html_text("a\xff\xc3(") == "a\xEF\xBF\xBD\xEF\xBF\xBD(");
  BOOST_TEST(html_text("\xed\xa0\x80") == "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");  // a surrogate
}

BOOST_AUTO_TEST_CASE(long_texts_end_after_a_number_of_characters_never_within_one) {
  BOOST_TEST(html_text("\xE6\x97\xA5\xE6\x97\xA5\xE6\x97\xA5", 2) == "\xE6\x97\xA5\xE6\x97\xA5...");
  BOOST_TEST(html_text("abc", 3) == "abc");
  BOOST_TEST(html_text("<<<", 2) == "&lt;&lt;...");
}

BOOST_AUTO_TEST_CASE(a_text_of_another_direction_is_isolated) {
  BOOST_TEST(isolated("\xD7\xA9\xD7\x9C\xD7\x95\xD7\x9D (n = 5)") ==
             "<bdi>\xD7\xA9\xD7\x9C\xD7\x95\xD7\x9D (n = 5)</bdi>");
  BOOST_TEST(isolated("</bdi><i>") == "<bdi>&lt;/bdi&gt;&lt;i&gt;</bdi>");
}

BOOST_AUTO_TEST_CASE(a_text_inside_a_script_does_not_end_it) {
  BOOST_TEST(script_text("</script><!--\"\\") == "\"\\u003c/script>\\u003c!--\\\"\\\\\"");
}

BOOST_AUTO_TEST_CASE(a_policy_lets_run_the_style_and_script_of_these_hashes_and_nothing_else) {
  // Of "" and "abc", as base64 of FIPS 180-2's digests.
  BOOST_TEST(content_policy("", "abc") ==
             "default-src 'none'; script-src 'sha256-ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0='; "
             "style-src 'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='; img-src data:; "
             "base-uri 'none'; form-action 'none'");
}

BOOST_AUTO_TEST_SUITE_END()
