// SPDX-License-Identifier: Apache-2.0
// A plugin in plain C, compiled outside the program with warnings as errors, loaded and run.
#include "program/c_plugin.hpp"
#include "program/tiny_folder.hpp"

#include <boost/json.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string>

BOOST_AUTO_TEST_SUITE(plain_c)

namespace {

using namespace depthlens;
using namespace depthlens::test;

// Every number of one is close to that of the other, and everything else is the same.
bool close(const boost::json::value& a, const boost::json::value& b) {
  if (a.is_number() && b.is_number()) return std::abs(a.to_number<double>() - b.to_number<double>()) < 1e-4;
  if (a.is_array() && b.is_array()) {
    const auto &one = a.get_array(), &other = b.get_array();
    return std::equal(one.begin(), one.end(), other.begin(), other.end(), close);
  }
  if (!a.is_object() || !b.is_object()) return a == b;
  const auto &one = a.get_object(), &other = b.get_object();
  return one.size() == other.size() && std::all_of(one.begin(), one.end(), [&](const auto& member) {
           const auto* found = other.if_contains(member.key());
           return found != nullptr && close(member.value(), *found);
         });
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_backend_in_c_says_what_the_cpu_backend_says) {
  const scratch_folder folder;
  build_c_plugin(folder, source_tree() / "share/skeleton/backend/longhand.c", "backend-longhand.so");
  const tiny_folder model;
  model.make_random();
  const auto traced = [&](const char* backend) {
    return boost::json::parse(
        must_work({"trace", "--plugin-path", folder.path(), "--backend", backend, "--model", model.path(),
                   "--prompt", "hello there", "--positions", "all", "--bos", "never", "--json"})
            .out);
  };
  const boost::json::value longhand = traced("longhand"), cpu = traced("cpu");
  BOOST_TEST(close(longhand, cpu), longhand << "\n" << cpu);
  const outcome checked = run({program(), "plugins", "check", folder.path() / "backend-longhand.so"});
  BOOST_TEST(checked.code == 0, checked.out << checked.err);
}

BOOST_AUTO_TEST_CASE(an_experiment_in_c_is_built_from_the_interface_alone_and_run) {
  const scratch_folder folder;
  build_c_plugin(folder, source_tree() / "tests/abi/entropy.c", "experiment-entropy.so");
  const outcome checked = run({program(), "plugins", "check", folder.path() / "experiment-entropy.so"});
  BOOST_TEST(checked.code == 0, checked.out << checked.err);
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
