// SPDX-License-Identifier: Apache-2.0
// What is checked and overridden when a model is loaded, through the whole program: --ignore-config and
// --skip-check, what they leave in run.json, and that a run is not continued with other keys ignored.
#include "program/demo.hpp"
#include "program/tiny_folder.hpp"

#include <boost/test/unit_test.hpp>

#include <string>

BOOST_AUTO_TEST_SUITE(model_checks)

namespace {

using namespace depthlens;
using namespace depthlens::test;

// A model whose config.json has a key that is not understood.
struct odd_model : tiny_folder {
  odd_model() {
    std::string config = content("config.json");
    config.insert(config.size() - 1, R"(,"logit_scale":0.5)");
    write("config.json", config);
  }
};

words run_of(const std::string& model, const std::filesystem::path& out, const std::string& rows) {
  return {"run", "pos", "--model", model, "--out", out, "--data", "pos.NOUN=" + rows, "--format", "svg"};
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_key_that_is_not_understood_is_passed_over_with_a_warning_and_on_record) {
  const odd_model model;
  const scratch_folder folder;
  const std::string rows = folder.write("rows.json", R"([{"prompt":"ab","answer":"c"}])");
  check_refused({"trace", "--model", model.path(), "--prompt", "ab"}, status::data, "logit_scale",
                "--ignore-config");
  const words ignoring{"--ignore-config", "logit_scale"};
  const outcome trace =
      must_work(words{"trace", "--model", model.path(), "--prompt", "ab", "--quiet", "--json"} + ignoring);
  BOOST_TEST(trace.err.find("--ignore-config logit_scale") != std::string::npos, trace.err);
  must_work(run_of(model.path(), folder.path() / "run", rows) + ignoring);
  const boost::json::object manifest = manifest_of(folder.path() / "run");
  BOOST_TEST(manifest.at("key").at("ignore_config").as_string() == "logit_scale");
  const outcome listed = must_work(words{"models", model.path(), "--json"} + ignoring);
  BOOST_TEST(boost::json::parse(listed.out).at("runs").as_bool());
  BOOST_TEST(!boost::json::parse(must_work({"models", model.path(), "--json"}).out).at("runs").as_bool());
}

BOOST_AUTO_TEST_CASE(the_commands_about_lenses_pass_over_keys_too) {
  const odd_model model;
  const scratch_folder folder;
  const std::string text = folder.write("text.jsonl", R"({"prompt":"abcabc"})");
  for (const words& command : {words{"lens", "info", "logit", "--model", model.path()},
                               words{"lens", "eval", "--model", model.path(), "--text", text, "--lens",
                                     "logit", "--out", folder.path() / "eval", "--format", "svg"}}) {
    check_refused(command, status::data, "logit_scale", "--ignore-config");
    const outcome o = must_work(command + words{"--ignore-config", "logit_scale"});
    BOOST_TEST(o.err.find("--ignore-config logit_scale") != std::string::npos, o.err);
  }
}

BOOST_AUTO_TEST_CASE(a_run_is_not_continued_with_other_keys_ignored) {
  const odd_model model;
  const scratch_folder folder;
  const std::string rows = folder.write("rows.json", R"([{"prompt":"ab","answer":"c"}])");
  const words command = run_of(model.path(), folder.path() / "run", rows);
  must_work(command + words{"--ignore-config", "logit_scale"});
  check_refused(command + words{"--ignore-config", "rms_norm_eps,logit_scale"}, status::config,
                "ignore_config");
}

BOOST_AUTO_TEST_CASE(ignoring_a_key_that_the_model_has_not_is_an_error) {
  const tiny_folder model;
  for (const char* command : {"trace", "models"}) {
    const words about = std::string(command) == "trace" ? words{"--model", model.path(), "--prompt", "ab"}
                                                        : words{model.path()};
    check_refused(words{command} + about + words{"--ignore-config", "logit_scale"}, status::usage, "no key",
                  "logit_scale");
  }
}

BOOST_AUTO_TEST_CASE(a_run_records_the_checks_of_its_model_and_sizes_that_differ) {
  const tiny_folder model(300);
  const scratch_folder folder;
  const std::string rows = folder.write("rows.json", R"([{"prompt":"ab","answer":"c"}])");
  must_work(run_of(model.path(), folder.path() / "run", rows) + words{"--skip-check", "output"});
  const boost::json::object manifest = manifest_of(folder.path() / "run");
  const boost::json::value& check = manifest.at("self_check");
  for (const char* name : {"scale", "readout"}) {
    BOOST_TEST(check.at(name).at("result").as_string() == "passed", name);
    BOOST_TEST(check.at(name).at("largest_difference").as_double() < 1e-3, name);
  }
  BOOST_TEST(check.at("output").at("result").as_string() == "skipped");
  BOOST_TEST(manifest.at("model").at("rows_without_id").to_number<int>() == 44);
  BOOST_TEST(manifest.at("tokenizer").at("ids_without_row").to_number<int>() == 0);
  check_refused({"trace", "--model", model.path(), "--prompt", "ab", "--skip-check", "norm"}, status::usage,
                "--skip-check norm", "scale, readout, output");
}

BOOST_AUTO_TEST_SUITE_END()
