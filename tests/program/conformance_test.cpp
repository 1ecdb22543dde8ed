// SPDX-License-Identifier: Apache-2.0
// depthlens plugins check: a good plugin passes, and every planted fault of tests/conformance is found by the
// check that is there for it.
#include "program/process.hpp"

#include "host/made_plugins.hpp"

#include <boost/json.hpp>
#include <boost/test/unit_test.hpp>

#include <filesystem>
#include <string>

BOOST_AUTO_TEST_SUITE(conformance)

namespace {

using namespace depthlens;
using namespace depthlens::test;
namespace fs = std::filesystem;
namespace json = boost::json;

// Compiles tests/conformance/SOURCE.c as FOLDER/STEM.so.
std::string build(const scratch_folder& folder, const std::string& source, const std::string& stem) {
  const std::string so = folder.path() / (stem + ".so");
  const char* cc = std::getenv("CC") != nullptr ? std::getenv("CC") : "cc";
  const outcome built =
      run({cc, "-std=gnu11", "-shared", "-fPIC", "-fvisibility=hidden", "-I" + include_folder().string(),
           "-o", so, source_tree() / "tests/conformance" / (source + ".c")});
  BOOST_REQUIRE_MESSAGE(built.code == 0, built.err);
  return so;
}

struct fault {
  const char *name, *check, *verdict, *words;
};

const fault faults[] = {
    {"symbols", "A2", "warning", "another_symbol"},
    {"unresolved", "A3", "fail", "depthlens_has_no_such_function"},
    {"entry", "A4", "fail", "another table"},
    {"id", "A5", "fail", "calls itself experiment.other"},
    {"major", "A5", "fail", "made for interface"},
    {"init", "A5", "fail", "refuses to start"},
    {"interface", "A6", "fail", "an interface that there is not"},
    {"deinit", "A7", "crashed", "Aborted"},
    {"option", "B1", "fail", "expected a-z"},
    {"figure", "B2", "fail", "draws a column \"nosuch\""},
    {"choice", "B3", "fail", "with --way two"},
    {"value", "D1", "fail", "value"},
    {"prints", "D1", "warning", "prints on stdout"},
    {"endless", "D1", "fail", "does not stop"},
    {"hangs", "D1", "crashed", "does not come back within 2 s"},
    {"crashes", "D1", "crashed", "Segmentation fault"},
    {"exits", "D1", "crashed", "ends the process"},
    {"twice", "D2", "fail", "when it is run again"},
    {"threads", "D3", "fail", "with 8 threads"},
    {"order", "D4", "fail", "in another order"},
    {"empty", "D5", "crashed", "Aborted"},
};

}  // namespace

BOOST_AUTO_TEST_CASE(a_good_plugin_passes_every_check) {
  const scratch_folder folder;
  const std::string so = build(folder, "good", "experiment-good");
  const outcome o = run({program(), "plugins", "check", so, "--json"});
  BOOST_REQUIRE_MESSAGE(o.code == 0, o.out << o.err);
  const json::value all = json::parse(o.out);
  for (const json::value& c : all.at(0).at("checks").as_array())
    BOOST_TEST((c.at("verdict") == "pass"), json::serialize(c));
  BOOST_TEST(all.at(0).at("checks").as_array().size() == 17U);
  const outcome own = run({fs::path(program()).parent_path() / "depthlens-validate", so});
  BOOST_TEST(own.code == 0, own.out << own.err);
}

BOOST_AUTO_TEST_CASE(every_planted_fault_is_found_by_its_check) {
  const scratch_folder folder;
  for (const fault& f : faults) {
    const std::string so = build(folder, std::string("bad_") + f.name, std::string("experiment-") + f.name);
    const outcome o = run({program(), "plugins", "check", so, "--json", "--only", f.check, "--time", "2"});
    const bool bad = std::string_view(f.verdict) != "warning";
    BOOST_TEST(o.code == (bad ? 1 : 0), f.name << ": " << o.out << o.err);
    const json::value check = json::parse(o.out).at(0).at("checks").at(0);
    BOOST_TEST((check.at("verdict") == f.verdict), f.name << ": " << o.out);
    BOOST_TEST(std::string_view(check.at("reason").as_string()).find(f.words) != std::string_view::npos,
               f.name << ": " << o.out);
  }
}

BOOST_AUTO_TEST_CASE(the_shipped_plugins_pass) {
  const fs::path plugins = fs::path(program()).parent_path().parent_path() / "lib/depthlens/plugins";
  const scratch_folder folder;
  const std::string counts = folder.write(
      "counts.json",
      R"({"101": {"token": "e", "count": 3, "ratio": 0.6},"97": {"token": "a", "count": 2, "ratio": 0.4}})");
  for (const char* name : {"pos", "facts", "downstream", "freq", "flips"}) {
    const outcome o =
        run({program(), "plugins", "check", plugins / (std::string("experiment-") + name + ".so"), "--set",
             "token-counts=" + counts});
    BOOST_TEST(o.code == 0, o.out << o.err);
  }
  const outcome o = run({program(), "plugins", "check", plugins / "backend-cpu.so"});
  BOOST_TEST(o.code == 0, o.out << o.err);
}

BOOST_AUTO_TEST_CASE(what_cannot_be_checked_is_refused) {
  const auto ends_with = [](const words& arguments, int code) {
    const outcome o = run(words{program(), "plugins", "check"} + arguments);
    BOOST_TEST(o.code == code, o.out << o.err);
  };
  ends_with({}, 64);
  ends_with({"nosuch.so"}, 66);
  ends_with({"--only", "Z9", "x"}, 64);
  ends_with({"--list"}, 0);
  const scratch_folder folder;
  ends_with({folder.write("experiment-text.so", "not a library")}, 1);
}

BOOST_AUTO_TEST_SUITE_END()
