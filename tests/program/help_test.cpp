// SPDX-License-Identifier: Apache-2.0
// Help of every command, usage errors, and the list of plugins with what they export.
#include "program/demo.hpp"

#include <boost/json.hpp>
#include <boost/test/unit_test.hpp>

#include <set>
#include <sstream>
#include <string>

BOOST_AUTO_TEST_SUITE(help_and_usage)

namespace {

using namespace depthlens;
using namespace depthlens::test;

const words kCommands = {"run",  "plot",    "report", "trace", "bench", "tokens",
                         "lens", "plugins", "models", "env",   "help"};

void check_help(const words& arguments) {
  const outcome o = depthlens_says(arguments);
  std::string shown;
  for (const std::string& a : arguments) shown += " " + a;
  BOOST_TEST_CONTEXT("depthlens" << shown) {
    BOOST_TEST(o.code == 0);
    BOOST_TEST(o.err.empty(), o.err);
    BOOST_TEST(o.out.find("usage: depthlens") != std::string::npos);
    for (const std::string& line : lines_of(o.out)) BOOST_TEST(line.size() <= 80U, "too wide: " << line);
  }
}

// What the help of a command says of an option, however its lines are broken.
std::string help_of(const words& command, const std::string& option) {
  std::string entry;
  for (const std::string& line : lines_of(must_work(command + words{"--help"}).out)) {
    if (!line.starts_with("   ")) {  // another option, or a heading
      if (entry.find(option + " ") != std::string::npos) return entry;
      entry.clear();
    }
    if (entry.empty() && !line.starts_with("  -")) continue;
    std::istringstream parts(line);
    for (std::string part; parts >> part;) entry += part + " ";
  }
  return entry.find(option + " ") != std::string::npos ? entry : "";
}

boost::json::array listed_plugins() {
  const outcome o = must_work({"plugins", "--json"});
  BOOST_TEST(lines_of(o.out).size() == 1U);
  return boost::json::parse(o.out).as_array();
}

}  // namespace

BOOST_AUTO_TEST_CASE(help_of_every_command_fits_eighty_columns) {
  check_help({"--help"});
  check_help({"help"});
  for (const std::string& c : kCommands) {
    check_help({c, "--help"});
    check_help({c, "-h"});
    check_help({"help", c});
  }
  for (const char* part : {"encode", "decode", "count"}) check_help({"tokens", part, "--help"});
  check_help({"run", "facts", "--help"});
}

BOOST_AUTO_TEST_CASE(help_names_every_command_and_the_options_of_experiments) {
  const std::string all = must_work({"help"}).out;
  for (const std::string& c : kCommands) BOOST_TEST(all.find("\n  " + c + " ") != std::string::npos, c);
  const std::string run = must_work({"run", "--help"}).out;
  BOOST_TEST(must_work({"run", "-h"}).out == run);
  BOOST_TEST(must_work({"run", "--quiet", "-h"}).out == run);
  for (const char* option : {"--model", "--out", "--data", "--limit", "--pos.words", "--facts.duplicates",
                             "--token-counts", "--whitespace", "--plugin-path"})
    BOOST_TEST(run.find(option) != std::string::npos, option);
}

BOOST_AUTO_TEST_CASE(commands_that_compute_say_the_same_of_model_lens_and_backend) {
  for (const char* option : {"--model", "--force-lens", "--bos", "--backend", "--device", "--precision",
                             "--threads", "--ignore-config", "--skip-check"}) {
    const std::string wanted = help_of({"run"}, option);
    BOOST_TEST(!wanted.empty(), option);
    for (const words& command : {words{"trace"}, words{"bench"}, words{"lens", "eval"}})
      BOOST_TEST(help_of(command, option) == wanted);
  }
  BOOST_TEST(help_of({"run"}, "--device").find("cuda:0,cuda:1") != std::string::npos);
  BOOST_TEST(help_of({"run"}, "--lens") == help_of({"bench"}, "--lens"));
}

BOOST_AUTO_TEST_CASE(help_says_what_is_taken_no_more_and_no_less) {
  BOOST_TEST(help_of({"run"}, "--whitespace").find("keep, retry, drop; auto for pos") != std::string::npos);
  BOOST_TEST(help_of({"tokens", "encode"}, "--texts").find("\"prompt\"") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(the_environment_that_the_program_and_its_plugins_look_at_is_listed) {
  const surroundings s{{{"DEPTHLENS_LIBTORCH", "/no/such/folder"}, {"HF_HOME", "/no/such/cache"}}, {}};
  const outcome o = must_work({"env", "--json"}, s);
  const boost::json::object listed = boost::json::parse(o.out).as_object();
  for (const auto& [name, value] : s.environment) {
    BOOST_REQUIRE(listed.contains(name));
    BOOST_TEST(std::string(listed.at(name).as_string()) == value);
  }
}

BOOST_AUTO_TEST_CASE(the_version_is_one_line) {
  const outcome o = must_work({"--version"});
  BOOST_TEST(o.out.starts_with("depthlens "));
  BOOST_TEST(lines_of(o.out).size() == 1U);
}

BOOST_AUTO_TEST_CASE(unknown_commands_options_and_experiments_are_usage_errors) {
  check_refused({"rnu"}, status::usage, "\"rnu\"", "depthlens help");
  check_refused({"help", "rnu"}, status::usage, "\"rnu\"");
  check_refused({"tokens", "rnu"}, status::usage, "rnu", "encode");
  for (const std::string& c : kCommands)
    if (c != "help" && c != "tokens" && c != "run")
      check_refused({c, "--no-such-option"}, status::usage, "--no-such-option");
  check_refused({"run", "facts", "--no-such-option"}, status::usage, "--no-such-option");
  check_refused({"run", "facst", "--model", "m", "--out", "o"}, status::usage, "\"facst\"", "facts");
  check_refused({"run", "facts", "facts"}, status::usage, "twice");
  check_refused({"run"}, status::usage, "experiments", "facts");
  check_refused({"run", "facts", "--out", "o"}, status::usage, "--model");
  check_refused({"run", "facts", "--model", "m"}, status::usage, "--out");
  check_refused({"run", "facts", "--model", "m", "--out", "o", "pos"}, status::usage, "\"pos\"",
                "before the first option");
  BOOST_TEST(depthlens_says({}).code == 64);
}

BOOST_AUTO_TEST_CASE(values_out_of_bounds_are_usage_errors_that_name_the_option) {
  const words start = {"run", "facts", "--model", "m", "--out", "o"};
  for (const char* option : {"--threads", "--limit", "--window", "--cuts"})
    for (const char* bad : {"0", "-1", "x", "1.5", "99999999999999999999"})
      check_refused(start + words{std::string(option) + "=" + bad}, status::usage, option);
  const words data = {"--data", "facts=" + (source_tree() / "share/demo/facts.json").string()};
  check_refused(start + data + words{"--facts.tokens", "none"}, status::usage, "--facts.tokens none");
  check_refused(start + data + words{"--whitespace", "maybe"}, status::usage, "--whitespace maybe",
                "keep, retry, drop");
  check_refused(start + words{"--target", "x"}, status::usage, "--target x", "final or gold");
  check_refused(start + words{"--bos", "x"}, status::usage, "--bos x");
  check_refused(start + words{"--lens", "x"}, status::usage, "--lens x");
  check_refused(start + words{"--lens", "logit", "--lens", "logit"}, status::usage, "LABEL");
  check_refused(start + words{"--format", "gif"}, status::usage, "gif", "png");
  check_refused({"run", "facts", "--config", "/"}, status::no_input, "--config", "/");
  for (const char* bad : {"", "0,", "x", "99"})
    check_refused({"trace", "--model", demo_model(), "--prompt", "a b", "--positions", bad}, status::usage,
                  "--positions");
}

BOOST_AUTO_TEST_CASE(all_plugins_of_the_build_are_listed_as_ok) {
  std::set<std::string> ok;
  for (const auto& v : listed_plugins()) {
    const boost::json::object& p = v.as_object();
    for (const char* field : {"id", "kind", "path", "version", "abi", "verdict", "reason"})
      BOOST_TEST((p.if_contains(field) != nullptr && p.at(field).is_string()), field);
    if (p.at("verdict").as_string() == "ok") ok.emplace(p.at("id").as_string());
  }
  for (const char* id : {"backend.cpu", "experiment.pos", "experiment.facts", "experiment.downstream",
                         "experiment.freq", "experiment.flips"})
    BOOST_TEST(ok.contains(id), id);
}

BOOST_AUTO_TEST_CASE(all_plugins_of_the_build_have_the_version_of_the_program) {
  for (const auto& v : listed_plugins()) {
    const boost::json::object& p = v.as_object();
    BOOST_TEST((p.at("version") == DEPTHLENS_VERSION), p.at("id") << " says version " << p.at("version"));
  }
  BOOST_TEST(must_work({"--version"}).out == "depthlens " DEPTHLENS_VERSION "\n");
}

BOOST_AUTO_TEST_CASE(every_plugin_exports_exactly_one_symbol) {
  int plugins = 0;
  for (const auto& v : listed_plugins()) {
    const std::string path(v.as_object().at("path").as_string());
    const outcome o = run({"nm", "-D", "--defined-only", path});
    BOOST_REQUIRE_MESSAGE(o.code == 0, "nm (binutils) is needed: " << o.err);
    const words symbols = lines_of(o.out);
    BOOST_TEST(symbols.size() == 1U, path << " exports\n" << o.out);
    BOOST_TEST(o.out.find(" dlens_entry_v1\n") != std::string::npos, path << " exports\n" << o.out);
    ++plugins;
  }
  BOOST_TEST(plugins >= 6);
}

BOOST_AUTO_TEST_CASE(what_cannot_be_written_to_stdout_is_an_error) {
  const outcome o = run({"sh", "-c", "'" + program() + "' help >/dev/full"});
  BOOST_TEST(o.code == 74);
}

BOOST_AUTO_TEST_SUITE_END()
