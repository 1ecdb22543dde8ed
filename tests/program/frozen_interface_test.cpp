// SPDX-License-Identifier: Apache-2.0
// The interface of experiments as it was frozen (tests/abi/v1): plugins that were built from those headers
// run in this program, and plugins of today in a host that was built from them.
#include "program/tiny_folder.hpp"

#include "host/made_plugins.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <filesystem>
#include <string>

BOOST_AUTO_TEST_SUITE(frozen_interface)

namespace {

using namespace depthlens;
using namespace depthlens::test;
namespace fs = std::filesystem;

fs::path frozen() { return source_tree() / "tests/abi/v1"; }

void compile(const words& arguments) {
  const char* cc = std::getenv("CC") != nullptr ? std::getenv("CC") : "cc";
  const outcome built = run(words{cc, "-Wall", "-fvisibility=hidden"} + arguments);
  BOOST_REQUIRE_MESSAGE(built.code == 0, built.err);
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_plugin_built_from_the_frozen_headers_runs_in_this_program) {
  const scratch_folder folder;
  const std::string so = folder.path() / "experiment-frozen.so";
  const words from_frozen = {"-shared", "-fPIC", "-I" + (frozen() / "include").string(), "-o", so};
  compile(words{"-std=c++20", "-x", "c++"} + from_frozen + words{frozen() / "frozen.c"});
  const outcome as_cpp = run({program(), "plugins", "check", so});
  BOOST_TEST(as_cpp.code == 0, as_cpp.out << as_cpp.err);
  compile(words{"-std=c11"} + from_frozen + words{frozen() / "frozen.c"});
  const outcome checked = run({program(), "plugins", "check", so});
  BOOST_TEST(checked.code == 0, checked.out << checked.err);
  const tiny_folder model;
  model.make_random();
  const std::string rows = folder.write("rows.json", R"([{"prompt": "abc"}, {"prompt": "abd"}])");
  must_work({"run", "frozen", "--plugin-path", folder.path(), "--model", model.path(), "--data",
             "frozen=" + rows, "--bos", "never", "--out", folder.path() / "run"});
  BOOST_TEST(lines_of(read_bytes(folder.path() / "run/data/frozen_logit.csv")).size() > 4U);
}

BOOST_AUTO_TEST_CASE(plugins_of_today_run_in_a_host_built_from_the_frozen_headers) {
  const scratch_folder folder;
  const std::string host = folder.path() / "host", so = folder.path() / "experiment-entropy.so";
  compile({"-I" + (frozen() / "include").string(), "-o", host, (frozen() / "host.c").string(), "-ldl"});
  compile({"-shared", "-fPIC", "-I" + include_folder().string(), "-o", so,
           (source_tree() / "tests/abi/entropy.c").string()});
  const outcome o = run({host, so});
  BOOST_TEST(o.code == 0, o.err);
  BOOST_TEST(o.out == "count 1 \"\"\n0,0,0,3.5\n0,0,1,2.25\n0,0,2,0.5\n", o.out);
  const fs::path shipped = fs::path(program()).parent_path().parent_path() / "lib/depthlens/plugins";
  const outcome cpp = run({host, shipped / "experiment-flips.so"});  // needs a file, and says so
  BOOST_TEST(cpp.code == 1, cpp.err);
  BOOST_TEST(cpp.err.find("token-counts") != std::string::npos, cpp.err);
}

BOOST_AUTO_TEST_SUITE_END()
