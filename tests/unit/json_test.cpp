// SPDX-License-Identifier: Apache-2.0
// Strict JSON documents and typed access to them.
#include "depthlens/base/json.hpp"
#include "depthlens/base/json_members.hpp"

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>

#include "support/model_bytes.hpp"

using namespace depthlens;
using depthlens::test::fails_with;

namespace {

json_document parse(std::string_view text, const json_limits& limits = {}) {
  return {text, "f.json", limits};
}

bool refuses(std::string_view text, std::string_view part, const json_limits& limits = {}) {
  return fails_with(status::data, part, [&] { parse(text, limits); });
}

std::string nested(std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); }

}  // namespace

BOOST_AUTO_TEST_SUITE(json)

BOOST_AUTO_TEST_CASE(values_of_every_kind_are_read) {
  const json_document d =
      parse(R"( {"s":"\u00e9\n","n":-3,"u":18446744073709551615,"d":2.5e-1,"b":true,"z":null,
                                    "a":[1,{"x":[]}]} )");
  BOOST_TEST(d.root().require_string("s") == "\xc3\xa9\n");
  BOOST_TEST(d.root().require_double("n") == -3.0);
  BOOST_TEST(d.root().require_u64("u") == 18446744073709551615ull);
  BOOST_TEST(d.root().require_double("d") == 0.25);
  BOOST_TEST(d.root().find_bool("b").value());
  BOOST_TEST(!d.root().find("z").has_value());
  BOOST_TEST(!d.root().find("absent").has_value());
  BOOST_TEST(d.root().require("a").at(1).require("x").as_array().empty());
}

BOOST_AUTO_TEST_CASE(decimals_are_rounded_correctly) {
  // Each is misread by one unit in the last place by Boost.JSON 1.81 alone, or needs more than 15 digits.
  for (const char* text : {"0.1", "1e-05", "9.5", "2.2250738585072014e-308", "0.041666666666666664", "1e23",
                           "5e-324", "8.41e21", "9007199254740993.0", "1.7976931348623157e308"}) {
    BOOST_TEST(parse(text).root().as_double() == std::strtod(text, nullptr), text);
  }
}

BOOST_AUTO_TEST_CASE(minus_zero_is_no_count) {
  BOOST_TEST(std::signbit(parse("[-0]").root().at(0).as_double()));
}

BOOST_AUTO_TEST_CASE(errors_name_line_and_column) {
  BOOST_TEST(refuses("{\"a\":1,\n \"b\":x}", "f.json:2:"));
  BOOST_TEST(refuses("[1] 2", "f.json:1:5: text after the end"));
}

BOOST_AUTO_TEST_CASE(errors_say_what_was_expected_at_the_place_where_it_is_not) {
  const std::pair<const char*, const char*> cases[] = {
      {"{\"a\":1,\n \"b\":x}", "f.json:2:6: not valid JSON: found 'x', expected a value"},
      {"[1 2]", "f.json:1:4: not valid JSON: found '2', expected \",\" or \"]\""},
      {"[1,]", "f.json:1:4: not valid JSON: found ']', expected a value"},
      {"{\"a\":1\n\"b\":2}", "f.json:2:1: not valid JSON: found '\"', expected \",\" or \"}\""},
      {"{\"a\" 1}", "f.json:1:6: not valid JSON: found '1', expected \":\" after the key"},
      {"{a:1}", "f.json:1:2: not valid JSON: found 'a', expected a key in double quotes or \"}\""},
      {"{\"a\":1,}", "f.json:1:8: not valid JSON: found '}', expected a key in double quotes"},
      {"[01]", "f.json:1:3: not valid JSON: found '1', expected no digit after a leading 0"},
      {"[1.x]", "f.json:1:4: not valid JSON: found 'x', expected a digit"},
      {"[\"a\nb\"]", "f.json:1:4: not valid JSON: found '\\x0a', expected the closing \" of a string"},
      {"[\"a\\qb\"]", "f.json:1:5: not valid JSON: found 'q', expected one of"},
      {"[1,\n", "f.json:2:1: the text ends too early: the file is truncated; expected a value"},
      {"{\"a\":\"b", "truncated; expected the closing \" of a string"},
      {"[NaN]", "f.json:1:2: NaN is not JSON"}};
  for (const auto& [text, message] : cases) BOOST_TEST(refuses(text, message), text);
  BOOST_TEST(refuses(nested(40), "expected at most 32 levels"));
}

BOOST_AUTO_TEST_CASE(duplicate_keys_are_refused_at_every_depth_and_spelling) {
  BOOST_TEST(refuses(R"({"a":1,"a":2})", "key 'a' occurs twice"));
  BOOST_TEST(refuses(R"({"x":[{"b":1,"c":2,"b":3}]})", "key 'b' occurs twice"));
  BOOST_TEST(refuses(R"({"ab":1,"a\u0062":2})", "key 'ab' occurs twice"));
  BOOST_TEST(refuses(R"({"":1,"":2})", "key '' occurs twice"));
  BOOST_CHECK_NO_THROW(parse(R"({"a":{"a":{"a":1}},"b":[{"a":1},{"a":1}]})"));
}

BOOST_AUTO_TEST_CASE(nan_and_infinity_get_a_clear_message) {
  BOOST_TEST(refuses("{\"loss\": NaN}", "NaN is not JSON"));
  BOOST_TEST(refuses("[Infinity]", "Infinity is not JSON"));
  BOOST_TEST(refuses("[1, -Infinity]", "-Infinity is not JSON"));
}

BOOST_AUTO_TEST_CASE(numbers_beyond_a_double_are_refused) {
  BOOST_TEST(refuses("[1e400]", "beyond the range"));
}

BOOST_AUTO_TEST_CASE(broken_text_is_refused) {
  BOOST_TEST(refuses("", "truncated"));
  BOOST_TEST(refuses("   ", "truncated"));
  BOOST_TEST(refuses("{\"a\":[1,2", "truncated"));
  BOOST_TEST(refuses("\xef\xbb\xbf{}", "byte order mark"));
  BOOST_TEST(refuses("\"\xff\"", "not valid JSON"));
  BOOST_TEST(refuses("\"\\ud800\"", "not valid JSON"));
  BOOST_TEST(refuses("\"a\nb\"", "not valid JSON"));
  BOOST_TEST(refuses("[1,]", "not valid JSON"));
  BOOST_TEST(refuses("[01]", "not valid JSON"));
  BOOST_TEST(refuses("// c\n1", "not valid JSON"));
  BOOST_TEST(refuses(std::string_view("[1]\0", 4), "text after the end"));
}

BOOST_AUTO_TEST_CASE(nesting_ends_at_32) {
  BOOST_CHECK_NO_THROW(parse(nested(32)));
  BOOST_TEST(refuses(nested(33), "too deep"));
  BOOST_TEST(refuses(nested(100000), "too deep"));
}

BOOST_AUTO_TEST_CASE(sizes_and_value_counts_are_capped) {
  BOOST_TEST(refuses("[1,2,3]", "at most 6", {.max_bytes = 6}));
  BOOST_CHECK_NO_THROW(parse("[1,2,3]", {.max_values = 4}));
  BOOST_TEST(refuses("[1,2,3]", "more values", {.max_values = 3}));
}

BOOST_AUTO_TEST_CASE(getters_refuse_other_types_and_name_the_place) {
  const json_document d = parse(R"({"r":{"f":"x","n":-1,"h":1.5,"big":1e300,"i":4096.0},"l":[1,"two"]})");
  const json_view r = d.root().require("r");
  BOOST_TEST(r.require_u64("i") == 4096u);
  BOOST_TEST(fails_with(status::data, "f.json: r.f: is a string, expected a number",
                        [&] { r.require_double("f"); }));
  BOOST_TEST(fails_with(status::data, "r.n: is an integer (-1)", [&] { r.require_u64("n"); }));
  BOOST_TEST(fails_with(status::data, "r.h", [&] { r.require_u64("h"); }));
  BOOST_TEST(fails_with(status::data, "r.big", [&] { r.require_u64("big"); }));
  BOOST_TEST(fails_with(status::data, "r.f", [&] { r.find_bool("f"); }));
  BOOST_TEST(fails_with(status::data, "r: \"gone\" is missing", [&] { r.require("gone"); }));
  BOOST_TEST(fails_with(status::data, "l[1]: is a string", [&] { d.root().require("l").at(1).as_u64(); }));
  BOOST_TEST(fails_with(status::data, "expected an object", [&] { d.root().require("l").find("x"); }));
  const json_document steering = parse(R"({"a\n\u001b[2J":{"n":"x"}})");
  BOOST_TEST(fails_with(status::data, "f.json: a\\x0a\\x1b[2J.n: is a string",
                        [&] { steering.root().require("a\n\x1b[2J").require_u64("n"); }));
}

BOOST_AUTO_TEST_CASE(every_cut_of_a_document_is_one_clean_error) {
  const std::string text = R"({"a":[1,-2.5e3,true,null,"\u00e9x"],"b":{"c":"d"}})";
  int refused = 0;
  for (std::size_t n = 0; n < text.size(); ++n)
    refused += refuses(std::string_view(text).substr(0, n), "f.json:1:");
  BOOST_TEST(refused == static_cast<int>(text.size()));
}

BOOST_AUTO_TEST_CASE(a_document_comes_from_a_file_and_survives_a_move) {
  const test::scratch_folder folder;
  json_document a = json_document::from_file(folder.write("c.json", R"({"k":"v"})"), {});
  const json_document b = std::move(a);
  BOOST_TEST(b.root().require_string("k") == "v");
  BOOST_TEST(fails_with(status::no_input, "none.json",
                        [&] { json_document::from_file(folder.path() / "none.json", {}); }));
}

BOOST_AUTO_TEST_CASE(a_member_that_is_missing_or_of_another_type_is_nothing_and_no_error) {
  const json_document document =
      parse(R"({"t":"x","n":7,"whole":3.0,"half":0.5,"low":-1,"o":{"in":"y"},"l":[1]})");
  const boost::json::object* const o = document.value().if_object();
  BOOST_TEST((text_at(o, "t") == "x"));
  BOOST_TEST((text_at(object_at(o, "o"), "in") == "y"));
  BOOST_TEST((number_at(o, "n") == 7U));
  BOOST_TEST((number_at(o, "whole") == 3U));
  BOOST_TEST((number_at<int>(o, "low") == -1));
  BOOST_TEST(array_at(o, "l")->size() == 1U);
  for (const char* key : {"half", "low", "t", "o", "none"}) BOOST_TEST(!number_at(o, key), key);
  BOOST_TEST(!text_at(o, "n"));
  BOOST_TEST(!object_at(o, "l"));
  BOOST_TEST(!array_at(o, "o"));
  BOOST_TEST(!text_at(object_at(o, "none"), "in"));
}

BOOST_AUTO_TEST_SUITE_END()
