// SPDX-License-Identifier: Apache-2.0
// What is checked and overridden when a model is loaded, through the whole program: --ignore-config and
// --skip-check, what they leave in run.json, and that a run is not continued with other keys ignored.
#include "program/demo.hpp"
#include "program/tiny_folder.hpp"

#include <boost/test/unit_test.hpp>

#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

BOOST_AUTO_TEST_SUITE(model_checks)

namespace {

using namespace depthlens;
using namespace depthlens::test;

// The embedding row of a byte, which is its token, holds a value that is no number; the unembedding is
// another tensor.
struct spoilt_model : tiny_folder {
  explicit spoilt_model(float value, char byte = 'b') {
    std::string config = content("config.json");
    const std::string tied = "\"tie_word_embeddings\":true";
    config.replace(config.find(tied), tied.size(), "\"tie_word_embeddings\":false");
    write("config.json", config);
    std::vector<named_shape> tensors = tiny_folder_tensors();
    tensors.front().shape = {256, 8};
    tensors.push_back({"lm_head.weight", {256, 8}});
    write("model.safetensors", safetensors_text(tensors));
    make_random();
    std::string file = content("model.safetensors");
    const std::size_t data = file.find("}}") + 2, columns = 8;
    std::memcpy(file.data() + data + sizeof value * columns * static_cast<unsigned char>(byte), &value,
                sizeof value);
    write("model.safetensors", file);
  }
};

// A model of width 4096 whose weights are all rounded to smaller ones in bf16: by 0.35 %.
struct one_sided_model : tiny_folder {
  one_sided_model() {
    std::string config = content("config.json");
    const std::string width = "\"hidden_size\":8";
    config.replace(config.find(width), width.size(), "\"hidden_size\":4096,\"head_dim\":4");
    write("config.json", config);
    std::vector<named_shape> tensors = tiny_folder_tensors();
    tensors.front().shape[0] = 256;
    for (named_shape& t : tensors) {
      const bool outputs = t.name.ends_with("o_proj.weight") || t.name.ends_with("down_proj.weight");
      (outputs ? t.shape.front() : t.shape.back()) = 4096;
    }
    write("model.safetensors", safetensors_text(tensors));
    make_random();
    std::string file = content("model.safetensors");
    const std::size_t data = file.find("}}") + 2, norm = data + sizeof(float) * 256 * 4096;
    for (std::size_t at = data; at + sizeof(float) <= file.size(); at += sizeof(float)) {
      float value = 0;
      std::memcpy(&value, file.data() + at, sizeof value);
      const bool final_norm = at >= norm && at < norm + sizeof(float) * 4096;
      value = final_norm ? 1 : std::copysign((1.0034F + 0.0004F * std::abs(value)) / 64, value);
      std::memcpy(file.data() + at, &value, sizeof value);
    }
    write("model.safetensors", file);
  }
};

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
  BOOST_TEST(check.at("blocks").at("result").as_string() == "passed");
  BOOST_TEST(check.at("blocks").at("largest_difference").as_double() < 1e-4);
  BOOST_TEST(check.at("blocks").at("checked").as_array() == boost::json::array{0});
  BOOST_TEST(manifest.at("model").at("rows_without_id").to_number<int>() == 44);
  BOOST_TEST(manifest.at("tokenizer").at("ids_without_row").to_number<int>() == 0);
  check_refused({"trace", "--model", model.path(), "--prompt", "ab", "--skip-check", "norm"}, status::usage,
                "--skip-check norm", "scale, readout, output, blocks");
}

BOOST_AUTO_TEST_CASE(a_prompt_that_is_not_computed_as_numbers_is_not_kept_and_its_tensor_is_named) {
  for (const float value :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    const spoilt_model model(value);
    const scratch_folder folder;
    const auto out = folder.path() / "out";
    const std::string rows =
        folder.write("rows.json", R"([{"prompt":"aa","answer":"c"},{"prompt":"ab","answer":"c"},)"
                                  R"({"prompt":"ac","answer":"c"}])");
    const words facts{"run", "facts",  "--model",       model.path(), "--out",
                      out,   "--data", "facts=" + rows, "--format",   "svg"};
    for (int again = 0; again < 2; ++again) {
      const outcome o = depthlens_says(facts);
      BOOST_TEST(o.code == 1, o.err);
      BOOST_TEST(o.err.find("warning: 1 prompt is not kept, reason \"not finite\"") != std::string::npos,
                 o.err);
      BOOST_TEST(
          o.err.find("record 1 of facts: tensor model.embed_tokens.weight, row 98") != std::string::npos,
          o.err);
    }
    const auto tables = tables_of(out);
    const words prompts = lines_of(tables.at("prompts_facts.csv"));
    BOOST_REQUIRE_EQUAL(prompts.size(), 4U);
    BOOST_TEST(prompts[2].find("not finite") != std::string::npos, prompts[2]);
    for (const std::string& row : lines_of(tables.at("facts_logit.csv")))
      BOOST_TEST(!row.starts_with("1,"), row);
    BOOST_TEST(tables.at("facts_logit.csv").find("nan") == std::string::npos);
    const boost::json::object counts = manifest_of(out).at("counts").at("facts").at("").as_object();
    BOOST_TEST(counts.at("kept").to_number<int>() == 2);
    BOOST_TEST(counts.at("not finite").to_number<int>() == 1);
    const outcome trace =
        depthlens_says({"trace", "--model", model.path(), "--prompt", "ab", "--json", "--positions", "all"});
    BOOST_TEST(trace.code == 1, trace.err);
    BOOST_TEST(trace.err.find(
                   "1 of 2 positions read as NaN or infinity: tensor model.embed_tokens.weight, row 98") !=
                   std::string::npos,
               trace.err);
    const boost::json::value said = boost::json::parse(trace.out);
    const boost::json::object& good = said.at("readings").at(0).as_object();
    const boost::json::object& bad = said.at("readings").at(1).as_object();
    BOOST_TEST(good.at("target").is_int64());
    BOOST_TEST(bad.at("target").is_null());
    for (const boost::json::value& layer : bad.at("layers").as_array()) {
      BOOST_TEST(layer.at("rank").is_null());
      BOOST_TEST(layer.at("top").as_array().empty());
    }
  }
}

BOOST_AUTO_TEST_CASE(a_model_with_a_weight_that_is_no_number_is_refused_with_the_tensor_s_name) {
  const tiny_folder model;
  model.make_random();
  std::string file = model.content("model.safetensors");
  const float nan = std::numeric_limits<float>::quiet_NaN();
  std::memcpy(file.data() + file.size() - sizeof nan, &nan, sizeof nan);
  model.write("model.safetensors", file);
  check_refused({"trace", "--model", model.path(), "--prompt", "ab"}, status::data,
                "tensor model.layers.1.mlp.down_proj.weight, row 7, holds nan");
}

BOOST_AUTO_TEST_CASE(weights_that_bf16_rounds_all_one_way_pass_the_checks_of_bf16) {
  const one_sided_model model;
  for (const char* precision : {"f32", "bf16"})
    must_work(
        {"trace", "--model", model.path(), "--prompt", "ab", "--backend", "cpu", "--precision", precision});
}

BOOST_AUTO_TEST_SUITE_END()
