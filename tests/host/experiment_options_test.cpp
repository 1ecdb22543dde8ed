// SPDX-License-Identifier: Apache-2.0
// Options that experiments declare: every type checked, the long form before the short one, defaults passed
// on.
#include "commands/experiment_options.hpp"

#include "depthlens/base/hash.hpp"
#include "depthlens/experiment.hpp"
#include "support/data_files.hpp"

#include <boost/test/unit_test.hpp>

#include <array>
#include <map>
#include <sstream>
#include <string>
#include <vector>

BOOST_AUTO_TEST_SUITE(options_of_experiments)

namespace {

using namespace depthlens;
using test::check_fails;
using test::scratch_folder;

constexpr const char* kWays[] = {"keep", "drop", nullptr};
const std::array kFirst = {
    make_option({.id = "flag", .type = DLENS_OPTION_BOOL, .fallback = "false", .help = "A flag."}),
    make_option({.id = "count",
                 .type = DLENS_OPTION_I64,
                 .fallback = "4",
                 .help = "A number.",
                 .least = 1,
                 .most = 100}),
    make_option({.id = "free", .type = DLENS_OPTION_I64, .fallback = "-7", .help = "Any number."}),
    make_option(
        {.id = "share", .type = DLENS_OPTION_F64, .fallback = "0.5", .help = "A share.", .min = 0, .max = 1}),
    make_option({.id = "text", .type = DLENS_OPTION_TEXT, .fallback = "", .help = "A text."}),
    make_option({.id = "way",
                 .type = DLENS_OPTION_CHOICE,
                 .fallback = "keep",
                 .help = "A choice.",
                 .choices = kWays}),
    make_option({.id = "table", .type = DLENS_OPTION_FILE, .help = "A file."}),
    make_option({.id = "word", .type = DLENS_OPTION_TEXT, .help = "Words.", .flags = DLENS_GIVEN_REPEATEDLY}),
    make_option({.id = "large",
                 .type = DLENS_OPTION_I64,
                 .fallback = "9007199254740993",
                 .help = "A number beyond 2^53.",
                 .least = 9007199254740993,
                 .most = 9223372036854775807})};
const std::array kSecond = {make_option({.id = "count",
                                         .type = DLENS_OPTION_I64,
                                         .fallback = "2",
                                         .help = "Another number.",
                                         .least = 1,
                                         .most = 5})};

template <std::size_t N>
dlens_experiment table_of(const std::array<dlens_option, N>& options,
                          std::vector<const dlens_option*>& pointers) {
  for (const dlens_option& o : options) pointers.push_back(&o);
  return {sizeof(dlens_experiment), 0, pointers.data(), pointers.size(), nullptr, 0, nullptr};
}

// Two experiments that share the option "count".
struct two_studies {
  std::vector<const dlens_option*> first_pointers, second_pointers;
  dlens_experiment first = table_of(kFirst, first_pointers), second = table_of(kSecond, second_pointers);
  std::vector<study_plan> plans = {{"one", {{}, &first}, {}, {}, {}}, {"two", {{}, &second}, {}, {}, {}}};

  // The options of a study after a command line.
  std::map<std::string, std::string> given(const arguments& args, std::size_t study = 0) {
    const experiment_options declared(plans);
    const parsed_options parsed = parse_options(args, "usage\n", declared.description());
    study_plan& plan = plans[study];
    plan.options.clear();
    plan.file_hashes.clear();
    declared.apply(parsed, plan);
    return {plan.options.begin(), plan.options.end()};
  }
};

}  // namespace

BOOST_AUTO_TEST_CASE(defaults_are_passed_on_and_an_absent_file_is_not_listed) {
  two_studies s;
  const std::map<std::string, std::string> expected = {{"flag", "false"},
                                                       {"count", "4"},
                                                       {"free", "-7"},
                                                       {"share", "0.5"},
                                                       {"text", ""},
                                                       {"way", "keep"},
                                                       {"large", "9007199254740993"}};
  BOOST_TEST((s.given({}) == expected));
  BOOST_TEST((s.given({}, 1) == std::map<std::string, std::string>{{"count", "2"}}));
}

BOOST_AUTO_TEST_CASE(the_short_form_is_for_all_that_have_it_and_the_long_form_wins) {
  two_studies s;
  BOOST_TEST(s.given({"--count", "3"})["count"] == "3");
  BOOST_TEST(s.given({"--count", "3"}, 1)["count"] == "3");
  BOOST_TEST(s.given({"--count", "3", "--one.count", "50"})["count"] == "50");
  BOOST_TEST(s.given({"--count", "3", "--one.count", "50"}, 1)["count"] == "3");
  BOOST_TEST(s.given({"--one.count=9"}, 1)["count"] == "2");
}

BOOST_AUTO_TEST_CASE(what_each_experiment_says_of_an_option_stands_in_the_help) {
  const two_studies s;
  std::ostringstream help;
  help << experiment_options(s.plans).description();
  std::string text;
  std::istringstream words(help.str());
  for (std::string word; words >> word;) text += word + " ";
  const std::string both =
      "--count N A number. (one); Another number. (two; default 2 for two; default 4 for one)";
  BOOST_TEST(text.find(both) != std::string::npos, text);
}

BOOST_AUTO_TEST_CASE(bounds_are_those_of_the_experiment_that_gets_the_value) {
  two_studies s;
  BOOST_TEST(s.given({"--count", "50"})["count"] == "50");
  check_fails([&] { s.given({"--count", "50"}, 1); }, status::usage, "--count 50", "from 1 to 5");
}

BOOST_AUTO_TEST_CASE(whole_numbers_are_checked) {
  two_studies s;
  BOOST_TEST(s.given({"--count", "100"})["count"] == "100");
  BOOST_TEST(s.given({"--free=-9223372036854775808"})["free"] == "-9223372036854775808");
  for (const char* bad : {"0", "101", "", "x", "4.5", "4 ", " 4", "1e1", "0x10", "9223372036854775808"})
    check_fails([&] { s.given({cat("--count=", bad)}); }, status::usage, "--count");
}

BOOST_AUTO_TEST_CASE(bounds_of_whole_numbers_are_exact_beyond_what_doubles_hold) {
  two_studies s;
  BOOST_TEST(s.given({"--large", "9007199254740994"})["large"] == "9007199254740994");
  check_fails([&] { s.given({"--large", "9007199254740992"}); }, status::usage, "from 9007199254740993");
}

BOOST_AUTO_TEST_CASE(an_option_that_may_be_repeated_has_a_value_for_each_time) {
  two_studies s;
  s.given({"--word", "a", "--word", "b"});
  const std::vector<std::pair<std::string, std::string>> words = {{"word", "a"}, {"word", "b"}};
  std::vector<std::pair<std::string, std::string>> found;
  for (const auto& o : s.plans[0].options)
    if (o.first == "word") found.push_back(o);
  BOOST_TEST((found == words));
  BOOST_CHECK_THROW(s.given({"--way", "drop", "--way", "keep"}), error);
}

BOOST_AUTO_TEST_CASE(numbers_are_checked) {
  two_studies s;
  BOOST_TEST(s.given({"--share", "1"})["share"] == "1");
  BOOST_TEST(s.given({"--share", "2.5e-1"})["share"] == "2.5e-1");
  for (const char* bad : {"1.01", "-0.1", "nan", "inf", "1,5", "0.5x"})
    check_fails([&] { s.given({cat("--share=", bad)}); }, status::usage, "--share", "from 0 to 1");
}

BOOST_AUTO_TEST_CASE(flags_take_words_or_nothing) {
  two_studies s;
  BOOST_TEST(s.given({"--flag"})["flag"] == "true");
  for (const char* yes : {"true", "yes", "1"}) BOOST_TEST(s.given({cat("--flag=", yes)})["flag"] == "true");
  for (const char* no : {"false", "no", "0"}) BOOST_TEST(s.given({cat("--flag=", no)})["flag"] == "false");
  check_fails([&] { s.given({"--flag=maybe"}); }, status::usage, "--flag maybe", "true or false");
}

BOOST_AUTO_TEST_CASE(choices_are_checked_and_listed) {
  two_studies s;
  BOOST_TEST(s.given({"--way", "drop"})["way"] == "drop");
  check_fails([&] { s.given({"--way", "Keep"}); }, status::usage, "--way Keep", "keep, drop");
}

BOOST_AUTO_TEST_CASE(a_choice_that_not_all_take_is_said_with_those_that_do) {
  static constexpr const char* more[] = {"auto", "keep", "drop", nullptr};
  const std::array third = {make_option(
      {.id = "way", .type = DLENS_OPTION_CHOICE, .fallback = "auto", .help = "A choice.", .choices = more})};
  two_studies s;
  std::vector<const dlens_option*> pointers;
  const dlens_experiment table = table_of(third, pointers);
  s.plans.push_back({"three", {{}, &table}, {}, {}, {}});
  const experiment_options declared(s.plans);
  BOOST_TEST(
      declared.description().find("way", false).description() ==
      "A choice. (one, three; keep, drop; auto for three; default auto for three; default keep for one)");
  BOOST_TEST(declared.description().find("three.way", false).description().find("auto for") ==
             std::string::npos);
}

BOOST_AUTO_TEST_CASE(files_must_exist_and_count_by_their_content) {
  two_studies s;
  const scratch_folder folder;
  const auto file = folder.write("counts.json", "{}");
  BOOST_TEST(s.given({"--table", file.string()})["table"] == file.string());
  BOOST_REQUIRE_EQUAL(s.plans[0].file_hashes.size(), 1U);
  BOOST_TEST(s.plans[0].file_hashes[0].first == "table");
  BOOST_TEST(s.plans[0].file_hashes[0].second == sha256_file(file));
  check_fails(
      [&] {
        s.given({"--table", file.string() + ".no"});
      },
      status::no_input, file.string() + ".no", "no such file");
  check_fails(
      [&] {
        s.given({"--table", folder.path().string()});
      },
      status::no_input, folder.path().string());
}

BOOST_AUTO_TEST_CASE(unknown_options_and_missing_values_are_usage_errors_with_the_option_named) {
  two_studies s;
  check_fails([&] { s.given({"--nosuch", "1"}); }, status::usage, "nosuch");
  check_fails([&] { s.given({"--three.count", "1"}); }, status::usage, "three.count");
  check_fails([&] { s.given({"--coun", "1"}); }, status::usage, "coun");  // no guessing of beginnings
  check_fails([&] { s.given({"--count"}); }, status::usage, "count");
  check_fails([&] { s.given({"--count", "1", "--count", "2"}); }, status::usage, "count");
}

BOOST_AUTO_TEST_CASE(numbers_of_the_program_itself_are_checked_with_their_bounds) {
  BOOST_TEST(parse_number("limit", "7", 1, 10) == 7U);
  for (const char* bad : {"0", "11", "", "-1", "7.0", "7x", "99999999999999999999"})
    check_fails([&] { parse_number("limit", bad, 1, 10); }, status::usage, "--limit", "from 1 to 10");
}

BOOST_AUTO_TEST_CASE(options_needed_early_are_found_in_both_spellings) {
  const arguments args = {"pos", "--config", "a.ini", "--config=b.ini", "--configuration=c", "--config"};
  BOOST_TEST(early_values(args, "--config") == (std::vector<std::string>{"a.ini", "b.ini"}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_SUITE_END()
