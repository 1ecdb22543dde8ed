// SPDX-License-Identifier: Apache-2.0
// Plugins that are missing, of another version, or no plugins: refused with the reason, listed, and no
// hindrance to others.
#include "program/demo.hpp"

#include "host/made_plugins.hpp"

#include <boost/test/unit_test.hpp>

#include <string>

BOOST_AUTO_TEST_SUITE(bad_plugins)

namespace {

using namespace depthlens;
using namespace depthlens::test;

words run_of(const std::string& experiment, const plugin_maker& plugins) {
  return {"run",           experiment,
          "--plugin-path", plugins.path(),
          "--model",       demo_model(),
          "--out",         plugins.path() / "out",
          "--data",        experiment + "=" + demo_data("facts.json").string()};
}

}  // namespace

BOOST_AUTO_TEST_CASE(experiments_and_backends_that_are_missing_are_said_with_those_there_are) {
  const plugin_maker none;
  check_refused(run_of("nosuch", none), status::usage, "\"nosuch\"", "facts");
  check_refused(run_of("facts", none) + words{"--backend", "nosuch"}, status::unavailable, "\"nosuch\"",
                "cpu", "depthlens-backend-nosuch");
  check_refused({"trace", "--model", demo_model(), "--prompt", "a", "--backend", "nosuch"},
                status::unavailable, "\"nosuch\"", "cpu");
  check_refused({"plugins", "--plugin-path", "/no/such/folder"}, status::no_input, "/no/such/folder");
  check_no_tables(none.path());
}

BOOST_AUTO_TEST_CASE(plugins_of_another_version_or_none_at_all_are_refused_with_the_reason) {
  const plugin_maker plugins;
  plugin_source source;
  source.major = "DLENS_ABI_MAJOR + 1";
  plugins.make("experiment-newer", source);
  source = {};
  source.entry = "no_entry";
  plugins.make("experiment-stranger", source);
  plugins.write("experiment-text.so", "no library");
  check_refused(run_of("newer", plugins), status::unavailable, "experiment-newer.so", "rebuild");
  check_refused(run_of("stranger", plugins), status::unavailable, "experiment-stranger.so", "dlens_entry_v1");
  check_refused(run_of("text", plugins), status::unavailable, "experiment-text.so", "ELF");
  check_no_tables(plugins.path());

  const outcome listed = must_work({"plugins", "--json", "--plugin-path", plugins.path()});
  int refused = 0, ok = 0;
  const boost::json::value all = boost::json::parse(listed.out);
  for (const auto& v : all.as_array()) {
    const boost::json::object& p = v.as_object();
    const bool mine = std::string_view(p.at("path").as_string())
                          .starts_with(std::filesystem::canonical(plugins.path()).string());
    // The torch backend lies beside the program whether libtorch is here or not.
    if (!mine && p.at("reason").as_string().starts_with("cannot run here: ")) continue;
    BOOST_TEST((p.at("verdict") == (mine ? "refused" : "ok")), boost::json::serialize(p));
    BOOST_TEST(p.at("reason").as_string().empty() != mine, boost::json::serialize(p));
    ++(mine ? refused : ok);
  }
  BOOST_TEST(refused == 3);
  BOOST_TEST(ok >= 6);
}

BOOST_AUTO_TEST_CASE(a_bad_plugin_does_not_hinder_a_run_of_good_ones) {
  const plugin_maker plugins;
  plugins.write("backend-broken.so", "no library");
  plugin_source source;
  source.returned = "0";
  plugins.make("backend-null", source);
  must_work(run_of("facts", plugins) + words{"--limit", "2", "--format", "svg"});
  BOOST_TEST(tables_of(plugins.path() / "out").contains("facts_logit.csv"));
}

BOOST_AUTO_TEST_SUITE_END()
