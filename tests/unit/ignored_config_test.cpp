// SPDX-License-Identifier: Apache-2.0
// Keys of a model's description that the caller passes over: as if they were absent, and only those that are
// there.
#include "depthlens/model/config_policy.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <vector>

#include "depthlens/model/model_files.hpp"
#include "support/model_bytes.hpp"
#include "support/tiny_models.hpp"

using namespace depthlens;
using depthlens::test::fails_with;
using depthlens::test::gguf_parts;
using depthlens::test::scratch_folder;

namespace {

struct folder_model {
  scratch_folder folder;
  explicit folder_model(std::string_view more) {
    folder.write("config.json", test::tiny_config_with(std::string(more) + R"(,"tie_word_embeddings":true)"));
    folder.write("model.safetensors", test::safetensors_text(test::tiny_folder_tensors()));
  }
  model_files open(std::vector<std::string> ignored) const {
    return model_files::open(folder.path(), {.ignored = std::move(ignored)});
  }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(ignored_config)

BOOST_AUTO_TEST_CASE(a_key_that_is_not_understood_is_passed_over_when_it_is_named) {
  const folder_model m(R"("logit_scale":0.5,"hidden_act":"mish")");
  BOOST_TEST(fails_with(status::data, "key 'logit_scale' is not understood", [&] { m.open({}); }));
  BOOST_TEST(fails_with(status::data, "--ignore-config logit_scale passes over it", [&] { m.open({}); }));
  BOOST_TEST(fails_with(status::data, "\"mish\" is not supported", [&] { m.open({"logit_scale"}); }));
  BOOST_TEST((m.open({"logit_scale", "hidden_act"}).arch().blocks[0].activation == activation_kind::silu));
}

BOOST_AUTO_TEST_CASE(a_key_within_an_object_and_one_with_a_dot_in_its_name_are_found) {
  const folder_model m(R"("rope_scaling":{"type":"linear","factor":2,"odd":1},"some.thing":1)");
  BOOST_TEST(fails_with(status::data, "key 'rope_scaling.odd'", [&] { m.open({"some.thing"}); }));
  BOOST_TEST(fails_with(status::data, "--ignore-config rope_scaling.odd passes over it",
                        [&] { m.open({"some.thing"}); }));
  BOOST_TEST(fails_with(status::usage, "it is named in full: rope_scaling.odd", [&] { m.open({"odd"}); }));
  const model_files both = m.open({"some.thing", "rope_scaling.odd"});
  BOOST_TEST(both.arch().blocks[0].attention->rope_inv_freq.values().at(0) == 0.5f);
  BOOST_TEST(
      m.open({"some.thing", "rope_scaling"}).arch().blocks[0].attention->rope_inv_freq.values().at(0) ==
      1.0f);
}

BOOST_AUTO_TEST_CASE(the_text_part_of_a_model_with_images_is_meant_too) {
  const test::family_model m = test::gemma3_model();
  scratch_folder folder;
  folder.write("config.json", cat(R"({"model_type":"gemma3","text_config":)", m.config(R"("odd":1)"), "}"));
  folder.write("model.safetensors", test::safetensors_text(m.tensors));
  BOOST_TEST(fails_with(status::data, "key 'text_config.odd'", [&] { model_files::open(folder.path()); }));
  BOOST_CHECK_NO_THROW(model_files::open(folder.path(), {.ignored = {"odd"}}));
  BOOST_CHECK_NO_THROW(model_files::open(folder.path(), {.ignored = {"text_config.odd"}}));
}

BOOST_AUTO_TEST_CASE(a_key_that_is_not_there_cannot_be_ignored) {
  const folder_model m(R"("use_cache":true)");
  for (const char* key : {"logit_scale", "", ".", "use_cache.x", "rope_scaling.factor"})
    BOOST_TEST(fails_with(status::usage, cat("config.json has no key '", key, "'"), [&] { m.open({key}); }));
  BOOST_TEST(fails_with(status::data, "\"hidden_size\" is missing", [&] { m.open({"hidden_size"}); }));
}

BOOST_AUTO_TEST_CASE(metadata_of_the_architecture_in_gguf_is_passed_over_when_it_is_named) {
  scratch_folder folder;
  gguf_parts p = test::tiny_gguf_metadata();
  p.u32("llama.swin_norm", 4).u32("tokenizer.ggml.bos_token_id", 1);
  const std::string path = folder.write("m.gguf", test::text_of(test::add_tiny_tensors(p).file()));
  const auto open = [&](std::vector<std::string> keys) {
    return model_files::open(path, {.ignored = std::move(keys)});
  };
  BOOST_TEST(fails_with(status::data, "'llama.swin_norm' is not understood", [&] { open({}); }));
  const model_files m = open({"llama.swin_norm"});
  BOOST_TEST(m.arch().blocks[0].d_ff == 12u);
  BOOST_TEST(m.gguf()->find_u32("tokenizer.ggml.bos_token_id").value_or(0) == 1u);
  BOOST_TEST(m.gguf()->find("llama.swin_norm") == nullptr);
  for (const char* key :
       {"tokenizer.ggml.bos_token_id", "general.architecture", "llama.expert", "expert_count"})
    BOOST_TEST(
        fails_with(status::usage, cat("no key '", key, "' of the architecture"), [&] { open({key}); }));
}

BOOST_AUTO_TEST_SUITE_END()
