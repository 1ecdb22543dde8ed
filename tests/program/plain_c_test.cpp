// SPDX-License-Identifier: Apache-2.0
// A plugin in plain C, compiled outside the program with warnings as errors, loaded and run.
#include "program/tiny_folder.hpp"

#include "host/made_plugins.hpp"

#include <boost/test/unit_test.hpp>

#include <string>

BOOST_AUTO_TEST_SUITE(plain_c)

namespace {

using namespace depthlens;
using namespace depthlens::test;

}  // namespace

BOOST_AUTO_TEST_CASE(an_experiment_in_c_is_built_from_the_interface_alone_and_run) {
  const scratch_folder folder;
  const std::string so = folder.path() / "experiment-entropy.so";
  const char* cc = std::getenv("CC") != nullptr ? std::getenv("CC") : "cc";
  const outcome built = run({cc, "-std=c11", "-Wall", "-Wextra", "-pedantic", "-Werror", "-shared", "-fPIC",
                             "-fvisibility=hidden", "-I" + include_folder().string(), "-o", so,
                             source_tree() / "tests/abi/entropy.c"});
  BOOST_REQUIRE_MESSAGE(built.code == 0, built.err);
  const outcome symbols = run({"nm", "-D", "--defined-only", so});
  BOOST_TEST(lines_of(symbols.out).size() == 1U, symbols.out);

  const tiny_folder model;
  model.make_random();
  const std::string rows =
      folder.write("rows.json", R"([{"prompt": "abc"}, {"prompt": "abd"}, {"prompt": ""}])");
  must_work({"run", "entropy", "--plugin-path", folder.path(), "--model", model.path(), "--data",
             "entropy=" + rows, "--bos", "never", "--format", "svg", "--out", folder.path() / "run"});
  const auto table = lines_of(read_bytes(folder.path() / "run/data/entropy_logit.csv"));
  BOOST_TEST((table.size() - 1) % 2 == 0U);
  BOOST_TEST(table.size() > 4U);
  BOOST_TEST(table.front() == "prompt_id,layer,entropy", table.front());
  BOOST_TEST(table.back().starts_with("1,"), table.back());
  BOOST_TEST(std::filesystem::exists(folder.path() / "run/plots/entropy_logit.svg"));
  BOOST_TEST(read_bytes(folder.path() / "run/run.json").find("\"empty\": 1") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
