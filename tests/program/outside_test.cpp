// SPDX-License-Identifier: Apache-2.0
// An experiment that is built outside the source tree against installed headers, loaded and run without
// rebuilding the host; and an installed program, moved to another place.
#include "program/demo.hpp"

#include <boost/test/unit_test.hpp>

#include <string>

BOOST_AUTO_TEST_SUITE(outside_the_tree)

namespace {

using namespace depthlens;
using namespace depthlens::test;
namespace fs = std::filesystem;

// The build tree that the program lies in.
fs::path build_tree() {
  const fs::path tree = fs::path(program()).parent_path().parent_path();
  BOOST_REQUIRE_MESSAGE(fs::exists(tree / "CMakeCache.txt"), tree << " is no build tree");
  return tree;
}

void must_run(const words& command) {
  const outcome o = run(command);
  BOOST_REQUIRE_MESSAGE(o.code == 0, command[0] << " ended with " << o.code << ":\n" << o.out << o.err);
}

void install(const fs::path& prefix, const std::string& component) {
  must_run({"cmake", "--install", build_tree(), "--prefix", prefix, "--component", component});
}

}  // namespace

BOOST_AUTO_TEST_CASE(an_experiment_built_against_the_installed_headers_is_loaded_and_run) {
  const scratch_folder folder;
  install(folder.path() / "prefix", "devel");
  fs::copy(source_tree() / "share/skeleton/experiment", folder.path() / "source");
  must_run({"cmake", "-G", "Ninja", "-S", folder.path() / "source", "-B", folder.path() / "build",
            "-DCMAKE_BUILD_TYPE=Release", "-DCMAKE_CXX_FLAGS_RELEASE=-O1",
            "-DCMAKE_PREFIX_PATH=" + (folder.path() / "prefix").string()});
  must_run({"cmake", "--build", folder.path() / "build"});

  const outcome listed = must_work({"plugins", "--json", "--plugin-path", folder.path() / "build"});
  const boost::json::value all = boost::json::parse(listed.out);
  const boost::json::object& first = all.at(0).as_object();
  BOOST_TEST((first.at("id") == "experiment.surprise"), listed.out);
  BOOST_TEST((first.at("verdict") == "ok"), listed.out);
  const outcome symbols = run({"nm", "-D", "--defined-only", folder.path() / "build/experiment-surprise.so"});
  BOOST_TEST(lines_of(symbols.out).size() == 1U, symbols.out);

  const std::string rows = folder.write(
      "rows.json",
      R"([{"prompt":"Paris is the capital of France"},{"prompt":"Paris is the capital of Mars"},)"
      R"({"prompt":"a"}])");
  const words command = {"run",
                         "surprise",
                         "--plugin-path",
                         folder.path() / "build",
                         "--model",
                         demo_model(),
                         "--out",
                         folder.path() / "run",
                         "--data",
                         "surprise=" + rows,
                         "--surprise.scale",
                         "2"};
  must_work(command);
  const words lines = lines_of(tables_of(folder.path() / "run").at("surprise_logit.csv"));
  BOOST_REQUIRE_EQUAL(lines.size(), 1U + 2U * 31U);
  BOOST_TEST(lines[0] == "prompt_id,layer,surprise");
  const auto last = [&](std::size_t i) { return std::stod(lines[i].substr(lines[i].rfind(',') + 1)); };
  BOOST_TEST(last(31) > 0);
  BOOST_TEST(last(31) < last(62));  // France is less of a surprise than Mars
  BOOST_TEST(fs::exists(folder.path() / "run/plots/surprise_logit.png"));
  const boost::json::object counts =
      manifest_of(folder.path() / "run").at("counts").at("surprise").at("").as_object();
  BOOST_TEST(counts.at("too short").to_number<int>() == 1);
}

BOOST_AUTO_TEST_CASE(a_shipped_experiment_builds_outside_the_tree_against_the_installed_core) {
  const scratch_folder folder;
  install(folder.path() / "prefix", "devel");
  fs::copy(source_tree() / "experiments/flips", folder.path() / "flips");
  folder.write("CMakeLists.txt",
               "cmake_minimum_required(VERSION 3.24)\nproject(outside LANGUAGES CXX)\n"
               "find_package(depthlens REQUIRED COMPONENTS core)\nadd_subdirectory(flips)\n");
  must_run({"cmake", "-G", "Ninja", "-S", folder.path(), "-B", folder.path() / "build",
            "-DCMAKE_BUILD_TYPE=Release", "-DCMAKE_CXX_FLAGS_RELEASE=-O0",
            "-DCMAKE_PREFIX_PATH=" + (folder.path() / "prefix").string()});
  must_run({"cmake", "--build", folder.path() / "build"});
  const outcome listed = must_work({"plugins", "--json", "--plugin-path", folder.path() / "build/flips"});
  const boost::json::value all = boost::json::parse(listed.out);
  const boost::json::object& first = all.at(0).as_object();
  BOOST_TEST((first.at("id") == "experiment.flips"), listed.out);
  BOOST_TEST((first.at("verdict") == "ok"), listed.out);
}

BOOST_AUTO_TEST_CASE(a_new_experiment_is_built_and_run_by_the_commands_that_are_printed) {
  const scratch_folder folder;
  const fs::path place = folder.path() / "a place", mine = folder.path() / "my words";
  for (const char* component : {"runtime", "plugins", "devel"}) install(place, component);
  const std::string installed = place / "bin/depthlens";
  const outcome made = run({installed, "new", "experiment", "words", mine, "--license", "MIT"});
  BOOST_REQUIRE_MESSAGE(made.code == 0, made.err);
  BOOST_TEST(read_bytes(mine / "words.cpp").find("surprise") == std::string::npos);
  BOOST_TEST(read_bytes(mine / "words.cpp").find("\"MIT\"") != std::string::npos);
  std::string steps = made.out;
  const std::string last = "--model M\n";
  BOOST_REQUIRE(steps.ends_with(last));
  steps.replace(steps.size() - last.size(), last.size(), "--format svg --model '" + demo_model() + "'\n");
  must_run({"/bin/sh", "-e", "-c", steps});
  BOOST_TEST(lines_of(tables_of(mine / "results").at("words_logit.csv")).size() == 1U + 2U * 31U);
  BOOST_TEST(fs::exists(mine / "results/plots/words_logit.svg"));

  const auto refused = [&](const words& more, int code) {
    const outcome o = run(words{installed, "new"} + more);
    BOOST_TEST(o.code == code, o.out << o.err);
  };
  refused({"experiment", "words", mine}, 73);
  refused({"experiment", "my-words", folder.path() / "x"}, 64);
  refused({"experiment", "Words", folder.path() / "x"}, 64);
  refused({"backend", "words", folder.path() / "x"}, 64);
  refused({"experiment", "words"}, 64);
  BOOST_TEST(!fs::exists(folder.path() / "x"));
  BOOST_TEST(run({program(), "new", "experiment", "words", folder.path() / "x"}).code == 69);
}

BOOST_AUTO_TEST_CASE(an_installed_program_finds_its_plugins_wherever_it_is_moved) {
  const scratch_folder folder;
  install(folder.path() / "first", "runtime");
  install(folder.path() / "first", "plugins");
  const fs::path place = folder.path() / "another place \xc3\xa9";
  fs::rename(folder.path() / "first", place);
  const outcome o = run({"env", "-i", place / "bin/depthlens", "plugins", "--json"});
  BOOST_REQUIRE_MESSAGE(o.code == 0, o.err);
  int ok = 0;
  const boost::json::value all = boost::json::parse(o.out);
  for (const auto& v : all.as_array()) {
    const std::string path(v.at("path").as_string());
    BOOST_TEST(path.starts_with(fs::canonical(place).string()), path);
    ok += v.at("verdict") == "ok" ? 1 : 0;
  }
  BOOST_TEST(ok >= 6);
}

BOOST_AUTO_TEST_SUITE_END()
