// SPDX-License-Identifier: Apache-2.0
// An experiment that is built outside the source tree against installed headers, loaded and run without
// rebuilding the host; and an installed program, moved to another place.
#include "program/demo.hpp"
#include "program/tiny_folder.hpp"

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

// A project of its own, built against what is installed at the prefix.
void build_outside(const fs::path& source, const fs::path& build, const fs::path& prefix,
                   const std::string& flags = "-O1") {
  must_run({"cmake", "-G", "Ninja", "-S", source, "-B", build, "-DCMAKE_BUILD_TYPE=Release",
            "-DCMAKE_C_FLAGS_RELEASE=" + flags, "-DCMAKE_CXX_FLAGS_RELEASE=" + flags,
            "-DCMAKE_PREFIX_PATH=" + prefix.string()});
  must_run({"cmake", "--build", build});
}

// The first of the plugins that are listed, which is that of the folder.
void check_first(const fs::path& folder, std::string_view id) {
  const outcome listed = must_work({"plugins", "--json", "--plugin-path", folder});
  const boost::json::value all = boost::json::parse(listed.out);
  BOOST_TEST((all.at(0).at("id").as_string() == id), listed.out);
  BOOST_TEST((all.at(0).at("verdict") == "ok"), listed.out);
}

}  // namespace

BOOST_AUTO_TEST_CASE(an_experiment_built_against_the_installed_headers_is_loaded_and_run) {
  const scratch_folder folder;
  install(folder.path() / "prefix", "devel");
  fs::copy(source_tree() / "share/skeleton/experiment", folder.path() / "source");
  build_outside(folder.path() / "source", folder.path() / "build", folder.path() / "prefix");
  check_first(folder.path() / "build", "experiment.surprise");
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
  build_outside(folder.path(), folder.path() / "build", folder.path() / "prefix", "-O0");
  check_first(folder.path() / "build/flips", "experiment.flips");
}

BOOST_AUTO_TEST_CASE(a_new_experiment_is_built_and_run_by_the_commands_that_are_printed) {
  const scratch_folder folder;
  const fs::path place = folder.path() / "a place", mine = folder.path() / "my words";
  for (const char* component : {"runtime", "cpu", "experiments", "devel"}) install(place, component);
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
  refused({"lens", "words", folder.path() / "x"}, 64);
  refused({"experiment", "words"}, 64);
  BOOST_TEST(!fs::exists(folder.path() / "x"));
  BOOST_TEST(run({program(), "new", "experiment", "words", folder.path() / "x"}).code == 69);
}

BOOST_AUTO_TEST_CASE(a_new_backend_is_built_checked_and_used_by_the_commands_that_are_printed) {
  const scratch_folder folder;
  const fs::path place = folder.path() / "a place", mine = folder.path() / "my backend";
  for (const char* component : {"runtime", "devel"}) install(place, component);
  const outcome made = run({place / "bin/depthlens", "new", "backend", "mine", mine});
  BOOST_REQUIRE_MESSAGE(made.code == 0, made.err);
  const tiny_folder model;
  model.make_random();
  std::string steps = made.out;
  const std::string last = "--model M\n";
  BOOST_REQUIRE(steps.ends_with(last));
  steps.replace(steps.size() - last.size(), last.size(), "--bos never --model '" + model.path() + "'\n");
  must_run({"/bin/sh", "-e", "-c", steps});
  BOOST_TEST(read_bytes(mine / "mine.c").find("longhand") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(the_code_of_the_tutorial_is_a_plugin_that_keeps_the_rules_and_runs) {
  const scratch_folder folder;
  const fs::path place = folder.path() / "place", mine = folder.path() / "my-words";
  for (const char* component : {"runtime", "cpu", "experiments", "devel"}) install(place, component);
  const std::string installed = place / "bin/depthlens";
  must_run({installed, "new", "experiment", "words", mine, "--license", "MIT"});
  std::string code;
  bool inside = false;
  for (const std::string& line : lines_of(read_bytes(source_tree() / "share/doc/first-experiment.md"))) {
    const bool fence = line.starts_with("```");
    if (inside && !fence) code += line + "\n";
    if (fence) inside = line == "```cpp";
    if (fence && inside && !code.empty()) code += "\n";
  }
  fs::remove(mine / "words.cpp");
  folder.write("my-words/words.cpp", code);
  build_outside(mine, mine / "build", place, "-O1 -Wall -Wextra -Werror");
  must_run({place / "bin/depthlens-validate", mine / "build/experiment-words.so"});
  const std::string texts = folder.write(
      "texts.json", R"([{"prompt": "The end of the day is near the sea"}, {"prompt": "Nothing here"}])");
  must_run({installed, "run", "words", "--plugin-path", mine / "build", "--model", demo_model(), "--data",
            "words=" + texts, "--word", "the", "--word", "of", "--format", "svg", "--out", mine / "results"});
  const auto tables = tables_of(mine / "results");
  BOOST_TEST(lines_of(tables.at("words_logit.csv")).size() == 1U + 3U * 31U);
  const words means = lines_of(tables.at("word_means_logit.csv"));
  BOOST_TEST(means.size() == 1U + 2U * 31U);
  BOOST_TEST(means[1].starts_with("\"of\",0,1,"), means[1]);
  BOOST_TEST(fs::exists(mine / "results/plots/word_means_logit.svg"));
  const auto counts = manifest_of(mine / "results").at("counts").at("words").at("").as_object();
  BOOST_TEST(counts.at("no such word").to_number<int>() == 1);
}

BOOST_AUTO_TEST_CASE(the_package_file_the_man_pages_and_the_completion_that_are_installed_work) {
  const scratch_folder folder;
  const fs::path place = folder.path() / "place";
  for (const char* component : {"runtime", "experiments", "devel"}) install(place, component);
  const outcome flags = run({"env", "PKG_CONFIG_PATH=" + (place / "lib/pkgconfig").string(), "pkg-config",
                             "--cflags", "depthlens"});
  BOOST_TEST(flags.code == 0, flags.err);
  BOOST_TEST(flags.out.find("/include") != std::string::npos, flags.out);
  for (const char* page : {"depthlens.1", "depthlens-validate.1", "depthlens-run.1", "depthlens-trace.1"}) {
    const std::string text = read_bytes(place / "share/man/man1" / page);
    BOOST_TEST(text.starts_with(".TH DEPTHLENS"), page);
    BOOST_TEST(text.find("@PROJECT_VERSION@") == std::string::npos, page);
  }
  const auto completed = [&](const std::string& line, const std::string& word) {
    const std::string script =
        "source '" + (place / "share/bash-completion/completions/depthlens").string() + "'\nCOMP_WORDS=(" +
        line + " '" + word +
        "')\nCOMP_CWORD=$((${#COMP_WORDS[@]} - 1))\n_depthlens\nprintf '%s\\n' \"${COMPREPLY[@]}\"\n";
    return run({"bash", "-c", script}).out;
  };
  const std::string installed = "'" + (place / "bin/depthlens").string() + "'";
  BOOST_TEST(completed(installed, "tra") == "trace\n");
  BOOST_TEST(completed(installed + " run", "fli") == "flips\n");
  BOOST_TEST(completed(installed + " trace", "--thr") == "--threads\n");
  BOOST_TEST(fs::exists(place / "share/zsh/site-functions/_depthlens"));
  BOOST_TEST(fs::exists(place / "share/fish/vendor_completions.d/depthlens.fish"));
}

BOOST_AUTO_TEST_CASE(an_installed_program_finds_its_plugins_wherever_it_is_moved) {
  const scratch_folder folder;
  for (const char* component : {"runtime", "cpu", "experiments"}) install(folder.path() / "first", component);
  const fs::path place = folder.path() / "another place \xc3\xbc";
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
  for (const fs::directory_entry& file : fs::recursive_directory_iterator(place))
    if (file.path().extension() == ".so" || file.path().parent_path().filename() == "bin")
      for (const std::string& line : lines_of(run({"readelf", "-d", file.path()}).out))
        if (line.find("(RUNPATH)") != std::string::npos || line.find("(RPATH)") != std::string::npos)
          BOOST_TEST(line.find("[$ORIGIN") != std::string::npos, file.path() << ": " << line);
}

BOOST_AUTO_TEST_SUITE_END()
