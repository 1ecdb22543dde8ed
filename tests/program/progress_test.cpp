// SPDX-License-Identifier: Apache-2.0
// What a run says on stderr: for people its main numbers and what comes next, for programs an object a line.
#include "program/sharded_run.hpp"

#include <boost/test/unit_test.hpp>

#include <string>

BOOST_AUTO_TEST_SUITE(words_of_a_run)

namespace {

using namespace depthlens;
using namespace depthlens::test;

const sharded_run& tiny() {
  static const sharded_run once(12);
  return once;
}

boost::json::array objects_in(const std::string& text) {
  boost::json::array out;
  for (const std::string& line : lines_of(text)) out.push_back(boost::json::parse(line));
  return out;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_run_ends_with_its_main_numbers_and_three_commands) {
  const outcome o = must_work(tiny().run("plain"));
  BOOST_TEST(o.out == std::filesystem::canonical(tiny().path("plain")).string() + "\n");
  for (const char* part : {"\nnext:\n  depthlens report ", "\n  depthlens verify ",
                           "\n  depthlens trace --model ", "logit lens, 12 prompts)\n"})
    BOOST_TEST(o.err.find(part) != std::string::npos, part << " is not in: " << o.err);
  const outcome again = must_work(tiny().run("plain"));
  BOOST_TEST(again.err.find("next:") == std::string::npos, again.err);
  const outcome quiet = must_work(tiny().run("quiet") + words{"--quiet"});
  BOOST_TEST(quiet.err.find("next:") == std::string::npos, quiet.err);
}

BOOST_AUTO_TEST_CASE(progress_for_programs_is_an_object_on_each_line) {
  const outcome o = must_work(tiny().run("objects") + words{"--progress", "json"});
  boost::json::object last;
  for (const auto& one : objects_in(o.err)) {
    const std::string event = one.at("event").as_string().c_str();
    BOOST_TEST((event == "info" || event == "warning" || event == "progress" || event == "text"), event);
    if (event == "progress")
      last = one.as_object();
    else
      BOOST_TEST(one.at("text").is_string());
  }
  BOOST_TEST((last.at("done") == 24));
  BOOST_TEST((last.at("of") == 24));
  BOOST_TEST(last.at("seconds").is_double());
  BOOST_TEST(last.contains("seconds_left"));
  // A mistake in another option is told so too, and the option may stand before the command.
  const outcome wrong = depthlens_says({"--progress", "json", "run", "facts", "--no-such-option"});
  BOOST_TEST(wrong.code == 64);
  const boost::json::array told = objects_in(wrong.err);
  BOOST_REQUIRE_EQUAL(told.size(), 1U);
  BOOST_TEST((told[0].at("event") == "error"));
}

BOOST_AUTO_TEST_CASE(a_mistake_of_any_kind_is_an_object_too) {
  const words json = {"--progress", "json"};
  for (const words& command : {words{"nosuch"}, words{"run", "nosuch"}, words{"lens", "nosuch"},
                               words{"help", "nosuch"}, tiny().run("x") + words{"--config", "nosuch.ini"}}) {
    const outcome o = depthlens_says(command + json);
    BOOST_TEST(o.code != 0);
    for (const auto& one : objects_in(o.err)) BOOST_TEST((one.at("event") == "error"));
  }
}

BOOST_AUTO_TEST_CASE(a_command_about_a_run_speaks_as_it_is_asked_and_not_as_the_run_was) {
  must_work(tiny().run("spoken") + words{"--progress", "json", "-q"});
  const words verify = {"verify", tiny().path("spoken").string(), "--rows", "1"};
  const outcome plain = must_work(verify);
  BOOST_TEST(plain.err.find("depthlens: ") == 0U, plain.err);
  must_work(tiny().run("silent"));
  const outcome objects = must_work({"verify", tiny().path("silent").string(), "--progress", "json"});
  BOOST_TEST(!objects_in(objects.err).empty());
}

BOOST_AUTO_TEST_CASE(another_form_of_progress_is_refused_and_none_leaves_the_messages) {
  check_refused(tiny().run("never") + words{"--progress", "yaml"}, status::usage,
                "--progress yaml: expected auto, lines, json or none");
  const outcome o = must_work(tiny().run("none") + words{"--progress", "none"});
  BOOST_TEST(o.err.find("records in") != std::string::npos, o.err);
}

BOOST_AUTO_TEST_SUITE_END()
