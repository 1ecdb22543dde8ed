// SPDX-License-Identifier: Apache-2.0
// Plugins found in folders: order of search, bad ones beside good ones, and what is said when one is missing.
#include "plugins/registry.hpp"

#include "host/made_plugins.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

BOOST_AUTO_TEST_SUITE(registries)

namespace {

using namespace depthlens;
namespace fs = std::filesystem;
using test::check_fails;
using test::plugin_maker;
using test::plugin_source;

class search_path {
 public:
  explicit search_path(const std::string& value) { ::setenv("DEPTHLENS_PLUGIN_PATH", value.c_str(), 1); }
  ~search_path() { ::unsetenv("DEPTHLENS_PLUGIN_PATH"); }
};

bool has(const std::vector<std::string>& words, const char* word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

// A backend whose probe gives `score`.
plugin_source backend(const std::string& score) {
  plugin_source s;
  s.interface = DLENS_BACKEND_INTERFACE;
  s.offered = "&backend_table";
  s.more =
      "#include \"depthlens/abi/backend.h\"\n"
      "static uint32_t probe(dlens_error* e) { if (" +
      score + " == 0) strcpy(e->message, \"no device\"); return " + score +
      "; }\n"
      "static const dlens_backend backend_table = {.size = sizeof(dlens_backend), .probe = probe};\n";
  return s;
}

}  // namespace

BOOST_AUTO_TEST_CASE(bad_plugins_do_not_hinder_good_ones) {
  const plugin_maker maker;
  maker.make("experiment-good", {});
  maker.write("experiment-text.so", "not a library");
  plugin_source bad;
  bad.major = "77";
  maker.make("experiment-old", bad);
  bad = {};
  bad.returned = "0";
  maker.make("experiment-null", bad);
  registry plugins({maker.path()});
  const registry::experiment e = plugins.load_experiment("good");
  BOOST_TEST((e.table != nullptr));
  BOOST_TEST(e.about.path == fs::canonical(maker.path()) / "experiment-good.so");
  check_fails([&] { plugins.load_experiment("text"); }, status::unavailable, "experiment-text.so", "ELF");
  check_fails([&] { plugins.load_experiment("old"); }, status::unavailable, "experiment-old.so", "77",
              "rebuild");
  check_fails([&] { plugins.load_experiment("null"); }, status::unavailable, "experiment-null.so", "nothing");
  check_fails([&] { plugins.load_experiment("null"); }, status::unavailable, "experiment-null.so", "nothing");
  BOOST_TEST((plugins.load_experiment("good").table == e.table));
}

BOOST_AUTO_TEST_CASE(a_domain_may_stand_in_an_id_and_the_last_part_is_the_word) {
  const plugin_maker maker;
  maker.make("experiment-org.example.mine", {});
  maker.make("experiment-yours", {});
  maker.make("experiment-org.example.yours", {});
  registry plugins({maker.path()});
  BOOST_TEST(plugins.load_experiment("mine").about.id == "experiment.org.example.mine");
  BOOST_TEST(plugins.load_experiment("org-example-mine").about.word == "mine");
  BOOST_TEST(plugins.load_experiment("yours").about.id == "experiment.yours");
  BOOST_TEST(plugins.load_experiment("org-example-yours").about.id == "experiment.org.example.yours");
  const std::vector<std::string> words = {"mine", "org-example-yours", "yours"};
  BOOST_TEST(plugins.words("experiment").size() >= 3U);
  for (const std::string& w : words) {
    const std::vector<std::string> all = plugins.words("experiment");
    BOOST_TEST((std::find(all.begin(), all.end(), w) != all.end()), w);
  }
}

BOOST_AUTO_TEST_CASE(an_unknown_experiment_is_a_usage_error_that_lists_those_there_are) {
  const plugin_maker maker;
  maker.make("experiment-mine", {});
  registry plugins({maker.path()});
  check_fails([&] { plugins.load_experiment("mien"); }, status::usage, "mien", "mine",
              fs::canonical(maker.path()).string());
}

BOOST_AUTO_TEST_CASE(an_unknown_backend_is_unavailable_and_its_package_is_named) {
  registry plugins({});
  check_fails([&] { plugins.load_backend("gpu9000"); }, status::unavailable, "gpu9000",
              "depthlens-backend-gpu9000");
}

BOOST_AUTO_TEST_CASE(a_plugin_without_the_interface_of_its_kind_is_unavailable) {
  const plugin_maker maker;
  plugin_source source;
  source.interface = "depthlens.experiment/9";
  maker.make("experiment-later", source);
  source = {};
  source.table_size = "4";
  maker.make("experiment-stump", source);
  registry plugins({maker.path()});
  check_fails([&] { plugins.load_experiment("later"); }, status::unavailable, "experiment-later.so",
              "depthlens.experiment/1");
  check_fails([&] { plugins.load_experiment("stump"); }, status::unavailable, "experiment-stump.so",
              "too small");
}

BOOST_AUTO_TEST_CASE(the_first_file_of_a_name_wins_and_the_other_is_listed_as_hidden) {
  const plugin_maker first, second;
  first.make("experiment-twice", {});
  second.make("experiment-twice", {});
  const search_path path(second.path().string());
  registry plugins({first.path()});
  BOOST_TEST(plugins.load_experiment("twice").about.path.parent_path() == fs::canonical(first.path()));
  const auto hidden = std::find_if(
      plugins.files().begin(), plugins.files().end(),
      [&](const plugin_verdict& v) { return v.path.parent_path() == fs::canonical(second.path()); });
  BOOST_REQUIRE((hidden != plugins.files().end()));
  BOOST_TEST(!hidden->ok);
  BOOST_TEST(hidden->reason.find("comes first") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(the_variable_takes_absolute_folders_that_exist) {
  const plugin_maker maker;
  maker.make("experiment-byvariable", {});
  {
    const search_path path("relative:/no/such/folder::" + maker.path().string());
    BOOST_TEST(has(registry({}).words("experiment"), "byvariable"));
  }
  BOOST_TEST(!has(registry({}).words("experiment"), "byvariable"));
}

BOOST_AUTO_TEST_CASE(the_current_folder_is_never_searched) {
  const plugin_maker maker;
  maker.make("experiment-here", {});
  const fs::path before = fs::current_path();
  fs::current_path(maker.path());
  const std::vector<std::string> words = registry({}).words("experiment");
  {
    const search_path path(".");
    BOOST_TEST(!has(registry({}).words("experiment"), "here"));
  }
  fs::current_path(before);
  BOOST_TEST(!has(words, "here"));
}

BOOST_AUTO_TEST_CASE(a_folder_given_by_name_must_exist) {
  check_fails([] { registry({"/no/such/folder"}); }, status::no_input, "--plugin-path", "/no/such/folder");
}

BOOST_AUTO_TEST_CASE(auto_takes_the_backend_with_the_highest_score) {
  const plugin_maker maker;
  maker.make("backend-slow", backend("3"));
  maker.make("backend-fast", backend("1000000"));
  maker.make("backend-none", backend("0"));
  registry plugins({maker.path()});
  BOOST_TEST(plugins.choose_backend("auto").about.word == "fast");
  BOOST_TEST(plugins.choose_backend("slow").about.word == "slow");
  check_fails([&] { plugins.choose_backend("none"); }, status::unavailable, "none", "no device");
}

BOOST_AUTO_TEST_CASE(a_folder_that_is_a_loop_of_links_is_passed_over) {
  const plugin_maker maker, good;
  good.make("experiment-good", {});
  fs::create_directory_symlink("loop", maker.path() / "loop");
  const registry from_option({maker.path() / "loop", good.path()});
  BOOST_TEST(has(from_option.words("experiment"), "good"));
  const search_path both((maker.path() / "loop").string() + ":" + good.path().string());
  BOOST_TEST(has(registry({}).words("experiment"), "good"));
}

BOOST_AUTO_TEST_CASE(a_backend_that_dies_when_it_is_tried_leaves_the_choice_to_others) {
  const plugin_maker maker;
  plugin_source fatal = backend("99");
  fatal.more =
      "#include \"depthlens/abi/backend.h\"\n"
      "static uint32_t probe(dlens_error* e) { (void)e; abort(); }\n"
      "static const dlens_backend backend_table = {.size = sizeof(dlens_backend), .probe = probe};\n";
  maker.make("backend-fatal", fatal);
  maker.make("backend-fair", backend("50"));
  registry r({maker.path()});
  BOOST_TEST(r.choose_backend("auto").about.word == "fair");
  check_fails([&] { r.choose_backend("fatal"); }, status::unavailable, "backend-fatal.so",
              "when it is asked whether it can run here");
}

BOOST_AUTO_TEST_SUITE_END()
