// SPDX-License-Identifier: Apache-2.0
// How trace is asked and how it answers: plain prompts, several lenses, tables on terminals, JSON in both
// layouts.
#include "program/demo.hpp"
#include "program/terminal.hpp"
#include "program/tiny_folder.hpp"

#include <boost/json.hpp>
#include <boost/test/unit_test.hpp>

#include <cmath>
#include <cstdio>
#include <map>
#include <string>

BOOST_AUTO_TEST_SUITE(forms_of_trace)

namespace {

using namespace depthlens;
using namespace depthlens::test;
namespace json = boost::json;

struct tiny_model : tiny_folder {
  tiny_model() { make_random(); }
  words trace(const words& more) const { return words{"trace", "--model", path()} + more; }
  json::value said(const words& more) const { return json::parse(must_work(trace(more)).out); }
};

std::string one_byte(const json::value& id) {
  return visible(std::string(1, static_cast<char>(id.to_number<int>())));
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_prompt_may_be_a_plain_word) {
  const tiny_model m;
  const std::string plain = must_work(m.trace({"ab c"})).out;
  BOOST_TEST(plain == must_work(m.trace({"--prompt", "ab c"})).out);
  BOOST_TEST(must_work(m.trace({"--", "-ab"})).out == must_work(m.trace({"--prompt=-ab"})).out);
}

BOOST_AUTO_TEST_CASE(prompts_given_in_two_ways_are_refused) {
  const tiny_model m;
  const outcome both = must_work(m.trace({"ab", "--prompt", "b", "--json"}));
  BOOST_TEST(both.out.find("\"text\":\"ab\"") < both.out.find("\"text\":\"b\""), both.out);
  check_refused(m.trace({"ab", "--prompts", "f.json"}), status::usage, "a prompt and --prompts",
                "one of them");
  check_refused(m.trace({"--prompt", "ab", "--prompts", "f.json"}), status::usage, "a prompt and --prompts");
  check_refused(m.trace({"Paris", "is", "the"}), status::usage, "in quotes", "not 3");
  check_refused(m.trace({}), status::usage, "needs a prompt");
}

BOOST_AUTO_TEST_CASE(several_prompts_are_an_object_each) {
  const tiny_model m;
  const words lines = lines_of(must_work(m.trace({"--prompt", "ab", "--prompt", "b", "--json"})).out);
  BOOST_REQUIRE(lines.size() == 2U);
  BOOST_TEST(json::parse(lines[1]).at("text").as_string() == "b");
}

BOOST_AUTO_TEST_CASE(json_has_the_texts_of_its_tokens) {
  const tiny_model m;
  const json::value said = m.said({"a\n", "--json", "--top", "7", "--target", "#10", "--positions", "all"});
  BOOST_TEST(said.at("readings").as_array().size() == 2U);
  for (const json::value& reading : said.at("readings").as_array()) {
    BOOST_TEST(reading.at("lens").as_string() == "logit");
    BOOST_TEST(reading.at("target_text").as_string() == "\n");
    for (const json::value& layer : reading.at("layers").as_array()) {
      const json::array &ids = layer.at("top").as_array(), &texts = layer.at("top_text").as_array();
      BOOST_REQUIRE(texts.size() == 7U);
      for (std::size_t i = 0; i < ids.size(); ++i) BOOST_TEST(texts[i].as_string() == one_byte(ids[i]));
    }
  }
  const json::value patch = m.said({"ab", "--json", "--patch-from", "b"}).at("patch");
  BOOST_TEST(patch.at("source_top_text").as_string() == one_byte(patch.at("source_top")));
  BOOST_TEST(patch.at("layers").at(0).at("top_text").as_array().size() == 5U);
}

BOOST_AUTO_TEST_CASE(each_lens_has_its_readings) {
  const tiny_model m;
  const words lenses = {"ab", "--lens", "one:logit", "--lens", "two:logit"};
  const json::value said = m.said(lenses + words{"--json"}), alone = m.said({"ab", "--json"});
  const json::array& readings = said.at("readings").as_array();
  BOOST_REQUIRE(readings.size() == 2U);
  BOOST_TEST(readings[0].at("lens").as_string() == "one");
  BOOST_TEST(readings[1].at("lens").as_string() == "two");
  for (const json::value& r : readings)
    BOOST_TEST((r.at("layers") == alone.at("readings").at(0).at("layers")));
  const std::string table = must_work(m.trace(lenses)).out;
  BOOST_TEST(table.find("lens one, position 1") != std::string::npos, table);
  BOOST_TEST(table.find("lens two, position 1") != std::string::npos, table);
}

BOOST_AUTO_TEST_CASE(tables_show_white_space_and_the_probability_of_the_guess) {
  const tiny_model m;
  const json::value said = m.said({"ab", "--json"});
  const json::value& layer = said.at("readings").at(0).at("layers").at(2);
  const std::string table = must_work(m.trace({"ab", "--top", "1"})).out;
  char guess[32];
  std::snprintf(guess, sizeof guess, "%8.3f  ", std::exp(layer.at("top_logprob").at(0).to_number<double>()));
  BOOST_TEST(table.find(guess) != std::string::npos, table);
  BOOST_TEST(table.find("    prob  top\n") != std::string::npos, table);
  const std::string paris = must_work({"trace", "-m", demo_model(), "The capital of France is"}).out;
  BOOST_TEST(paris.find("  \u00b7Paris ") != std::string::npos, paris);
  const tiny_folder same;  // all tokens are equally likely: those of the lowest ids come first
  const std::string first = must_work({"trace", "--model", same.path(), "ab", "--top", "2"}).out;
  BOOST_TEST(first.find("   0.004  \\x00         \\x01") != std::string::npos, first);
}

BOOST_AUTO_TEST_CASE(colours_are_for_terminals_alone) {
  const tiny_model m;
  const surroundings colour{{{"TERM", "xterm-256color"}, {"CLICOLOR_FORCE", "1"}}, {}};
  const std::string piped = must_work(m.trace({"ab"}), colour).out;
  BOOST_TEST(piped.find('\033') == std::string::npos);
  BOOST_TEST(lines_of(piped).size() == 5U);
  const words shown = {program(), "trace", "-m", demo_model(), "The capital of France is", "--quiet"};
  const std::string on_terminal = said_on_terminal(shown, {{"TERM", "xterm-256color"}});
  BOOST_TEST(on_terminal.find("\033[38;5;16;48;5;221m\u00b7Paris ") != std::string::npos, on_terminal);
  BOOST_TEST(on_terminal.find("shades:") != std::string::npos, on_terminal);
  for (const auto& [name, value] : std::map<std::string, std::string>{{"NO_COLOR", "1"}, {"TERM", "dumb"}}) {
    std::map<std::string, std::string> variables{{"TERM", "xterm-256color"}};
    variables[name] = value;
    const std::string plain = said_on_terminal(shown, variables);
    BOOST_TEST(plain.find("rank") != std::string::npos, plain);
    BOOST_TEST(plain.find('\033') == std::string::npos, name << ": " << plain);
  }
}

BOOST_AUTO_TEST_CASE(a_table_on_a_terminal_fits_it) {
  const tiny_model m;
  const words shown = words{program()} + m.trace({"ab", "--quiet"});
  for (const unsigned short columns : {80, 100, 200})
    for (std::string line : lines_of(said_on_terminal(shown, {{"NO_COLOR", "1"}}, columns))) {
      while (!line.empty() && (line.back() == ' ' || line.back() == '\r')) line.pop_back();
      BOOST_TEST(utf8_count(line) <= columns, line);
    }
}

BOOST_AUTO_TEST_CASE(the_layout_of_version_2_holds_the_same_readings) {
  const tiny_model m;
  const json::value v2 = m.said({"ab\n", "--json", "--format", "v2", "--top", "3"});
  const json::value own = m.said({"ab\n", "--json", "--positions", "all", "--top", "3"});
  BOOST_TEST(v2.at("meta").at("version").to_number<int>() == 2);
  BOOST_TEST((v2.at("input") == json::array{"a", "b", "\n"}));
  BOOST_TEST((v2.at("layers") == json::array{0, 1}));  // outputs of blocks; ours are 1 and 2
  const auto rounded = [](const json::value& v) { return std::round(v.to_number<double>() * 1e5) / 1e5; };
  for (std::size_t position = 0; position < 3; ++position)
    for (std::size_t layer = 0; layer < 2; ++layer) {
      const json::value& read = own.at("readings").at(position).at("layers").at(layer + 1);
      BOOST_TEST((v2.at("topk").at(layer).at(position) == read.at("top_text")));
      BOOST_TEST(v2.at("entropy").at(layer).at(position).to_number<double>() == rounded(read.at("entropy")));
      for (std::size_t i = 0; i < 3; ++i) {
        const json::value& tracked = v2.at("tracked").at(position).at(read.at("top_text").at(i).as_string());
        BOOST_TEST(tracked.as_array().size() == 2U);
        const double p = std::exp(read.at("top_logprob").at(i).to_number<double>());
        BOOST_TEST(std::abs(tracked.at(layer).to_number<double>() - p) < 1.1e-5);
      }
    }
}

BOOST_AUTO_TEST_CASE(what_a_layout_has_no_place_for_is_refused) {
  const tiny_model m;
  const words v2 = {"ab", "--json", "--format", "v2"};
  check_refused(m.trace({"ab", "--json", "--format", "v3"}), status::usage, "--format v3", "v2");
  check_refused(m.trace({"ab", "--format", "v2"}), status::usage, "--format", "--json");
  check_refused(m.trace(v2 + words{"--patch-from", "b"}), status::usage, "--format v2", "--patch-from");
  check_refused(m.trace(v2 + words{"--experts"}), status::usage, "--format v2", "--experts");
  check_refused(m.trace(v2 + words{"--top", "0"}), status::usage, "--format v2", "--top");
  check_refused(m.trace(v2 + words{"--lens", "a:logit", "--lens", "b:logit"}), status::usage, "one lens");
  std::string rows;
  for (int i = 0; i < 800; ++i) rows += "{\"prompt\":\"" + std::string(60, 'a') + "\"}\n";
  const scratch_folder folder;
  check_refused(
      m.trace({"--prompts", folder.write("many.jsonl", rows), "--json", "--format", "v2", "--top", "64"}),
      status::usage, "--format v2", "48000 positions", "smaller --top");
}

BOOST_AUTO_TEST_SUITE_END()
