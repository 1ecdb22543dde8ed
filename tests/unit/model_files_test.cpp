// SPDX-License-Identifier: Apache-2.0
// Models on disk: canonical names, shapes, what is refused, and content hashes.
#include "depthlens/model/model_files.hpp"

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/model_bytes.hpp"
#include "support/reference.hpp"
#include "support/tiny_models.hpp"

using namespace depthlens;
using depthlens::test::add_tiny_tensors;
using depthlens::test::fails_with;
using depthlens::test::gguf_parts;
using depthlens::test::named_shape;
using depthlens::test::safetensors_text;
using depthlens::test::scratch_folder;
using depthlens::test::tiny_config_with;
using depthlens::test::tiny_folder_tensors;
using depthlens::test::tiny_gguf_metadata;

namespace {

void write_model(const scratch_folder& folder, const std::vector<named_shape>& tensors,
                 std::string_view more = "\"tie_word_embeddings\":true") {
  folder.write("config.json", tiny_config_with(more));
  folder.write("model.safetensors", safetensors_text(tensors));
}

bool refuses(const scratch_folder& folder, std::string_view part, status code = status::data) {
  return fails_with(code, part, [&] { model_files::open(folder.path()); });
}

std::vector<named_shape> tensors_and(std::vector<named_shape> more) {
  std::vector<named_shape> out = tiny_folder_tensors();
  for (named_shape& t : more) out.push_back(std::move(t));
  return out;
}

std::filesystem::path write_gguf(const scratch_folder& folder, const gguf_parts& parts) {
  return folder.write("m.gguf", test::text_of(parts.file()));
}

}  // namespace

BOOST_AUTO_TEST_SUITE(model_files_on_disk)

BOOST_AUTO_TEST_CASE(a_folder_gives_canonical_tensors_in_order) {
  const scratch_folder folder;
  write_model(folder, tiny_folder_tensors());
  const model_files m = model_files::open(folder.path());
  BOOST_TEST((m.kind() == model_kind::folder));
  BOOST_TEST(m.architecture_name() == "llama");
  BOOST_TEST(m.tensors().size() == 21u);
  BOOST_TEST(m.tensors().front().name == "embed");
  BOOST_TEST(m.tensors().back().name == "unembed");
  BOOST_TEST((m.tensor("block.1.down").shape == std::vector<std::uint64_t>{8, 12}));
  BOOST_TEST(m.tensor("unembed").data == m.tensor("embed").data);
  BOOST_TEST(m.raw_tensors().size() == 20u);
  BOOST_TEST(m.raw_tensors()[0].view->name == "model.embed_tokens.weight");
  BOOST_TEST(m.raw_tensors()[0].type_name == "F32");
  BOOST_TEST(m.gguf() == nullptr);
  BOOST_TEST(m.find_tensor("block.2.q") == nullptr);
}

BOOST_AUTO_TEST_CASE(a_gguf_gives_the_same_canonical_tensors) {
  const scratch_folder folder;
  gguf_parts p = tiny_gguf_metadata();
  const auto path = write_gguf(folder, add_tiny_tensors(p));
  model_files opened = model_files::open(path);
  const model_files m = std::move(opened);
  BOOST_TEST((m.kind() == model_kind::gguf));
  BOOST_TEST(m.tensors().size() == 21u);
  BOOST_TEST((m.tensor("block.0.k").shape == std::vector<std::uint64_t>{4, 8}));
  BOOST_TEST((m.tensor("block.0.gate").shape == std::vector<std::uint64_t>{12, 8}));
  BOOST_TEST(m.gguf()->require_u32("llama.block_count") == 2u);
}

BOOST_AUTO_TEST_CASE(biases_are_taken_where_the_model_has_them) {
  const scratch_folder folder;
  std::vector<named_shape> biases;
  for (int i = 0; i < 2; ++i) {
    for (const auto& [name, n] : {std::pair{"q", 8}, {"k", 4}, {"v", 4}, {"o", 8}}) {
      biases.push_back(
          {cat("model.layers.", i, ".self_attn.", name, "_proj.bias"), {static_cast<std::uint64_t>(n)}});
    }
  }
  write_model(folder, tensors_and(biases), R"("tie_word_embeddings":true,"attention_bias":true)");
  BOOST_TEST(
      (model_files::open(folder.path()).tensor("block.1.k.bias").shape == std::vector<std::uint64_t>{4}));
  write_model(folder, tensors_and(biases));
  BOOST_TEST(refuses(folder, "does not belong to a llama model"));
  write_model(folder, tiny_folder_tensors(), R"("tie_word_embeddings":true,"attention_bias":true)");
  BOOST_TEST(refuses(folder, "q_proj.bias' is missing"));
  gguf_parts p = tiny_gguf_metadata();
  add_tiny_tensors(p).tensor("blk.0.attn_q.bias", {8});
  BOOST_TEST(model_files::open(write_gguf(folder, p)).find_tensor("block.0.q.bias") != nullptr);
}

BOOST_AUTO_TEST_CASE(missing_misshapen_and_extra_tensors_are_refused_by_name) {
  const scratch_folder folder;
  auto tensors = tiny_folder_tensors();
  tensors.erase(tensors.begin() + 3);
  write_model(folder, tensors);
  BOOST_TEST(refuses(folder, "'model.layers.0.self_attn.q_proj.weight' is missing"));
  tensors = tiny_folder_tensors();
  tensors[4].shape = {8, 4};
  write_model(folder, tensors);
  BOOST_TEST(refuses(folder, "has shape (8, 4), expected (4, 8)"));
  write_model(folder, tensors_and({{"model.layers.2.input_layernorm.weight", {8}}}));
  BOOST_TEST(refuses(folder, "does not belong to a llama model of 2 layers"));
  write_model(folder, tensors_and({{"model.layers.0.self_attn.rotary_emb.inv_freq", {2}}}));
  BOOST_CHECK_NO_THROW(model_files::open(folder.path()));
  gguf_parts p = tiny_gguf_metadata();
  add_tiny_tensors(p).tensor("blk.0.attn_q_norm.weight", {4});
  const auto path = write_gguf(folder, p);
  BOOST_TEST(fails_with(status::data, "'blk.0.attn_q_norm.weight' does not belong",
                        [&] { model_files::open(path); }));
}

BOOST_AUTO_TEST_CASE(an_untied_model_needs_its_unembedding) {
  const scratch_folder folder;
  write_model(folder, tensors_and({{"lm_head.weight", {10, 8}}}), "\"tie_word_embeddings\":false");
  const model_files m = model_files::open(folder.path());
  BOOST_TEST(m.tensor("unembed").data != m.tensor("embed").data);
  write_model(folder, tiny_folder_tensors(), "\"tie_word_embeddings\":false");
  BOOST_TEST(refuses(folder, "'lm_head.weight' is missing"));
}

BOOST_AUTO_TEST_CASE(a_stored_copy_of_a_tied_unembedding_must_be_a_copy) {
  const scratch_folder folder;
  write_model(folder, tensors_and({{"lm_head.weight", {10, 8}}}));
  BOOST_CHECK_NO_THROW(model_files::open(folder.path()));
  std::string file = safetensors_text(tensors_and({{"lm_head.weight", {10, 8}}}));
  file.back() = 1;
  folder.write("model.safetensors", file);
  BOOST_TEST(refuses(folder, "differs from the embedding"));
}

BOOST_AUTO_TEST_CASE(weights_of_types_that_are_only_listed_are_refused) {
  const scratch_folder folder;
  gguf_parts p = tiny_gguf_metadata();
  p.info("token_embd.weight", {8, 10}, 28, p.data.size());  // F64
  p.data.zeros(640);
  p.tensor("output_norm.weight", {8});
  BOOST_TEST(fails_with(status::data, "'token_embd.weight' is of type F64",
                        [&] { model_files::open(write_gguf(folder, p)); }));
}

BOOST_AUTO_TEST_CASE(what_is_no_model_is_told_so) {
  const scratch_folder folder;
  BOOST_TEST(refuses(folder, "neither model.safetensors", status::no_input));
  const auto weights = folder.write("model.safetensors", safetensors_text(tiny_folder_tensors()));
  BOOST_TEST(refuses(folder, "has no config.json", status::no_input));
  BOOST_TEST(fails_with(status::data, "give the folder", [&] { model_files::open(weights); }));
  BOOST_TEST(
      fails_with(status::no_input, "No such file", [&] { model_files::open(folder.path() / "gone.gguf"); }));
  folder.write("config.json", "{\"model_type\":\"llama\",");
  BOOST_TEST(refuses(folder, "config.json:1:"));
}

BOOST_AUTO_TEST_CASE(an_adapter_of_a_model_is_told_as_that_with_its_base) {
  const scratch_folder folder;
  folder.write("adapter_config.json", R"({"base_model_name_or_path":"org/base","peft_type":"LORA"})");
  folder.write("adapter_model.safetensors", "");
  BOOST_TEST(refuses(folder, "holds a PEFT adapter of type 'LORA' for 'org/base', not a model: merge it"));
}

BOOST_AUTO_TEST_CASE(a_part_of_a_split_model_is_told_as_that_whichever_it_is) {
  const scratch_folder folder;
  gguf_parts later;
  later.entry("split.no", 2).put(std::uint16_t{1});
  later.entry("split.count", 2).put(std::uint16_t{3});
  BOOST_TEST(fails_with(status::data, "is part 2 of 3 of a split model", [&] {
    model_files::open(write_gguf(folder, later.tensor("x", {4, 2})));
  }));
}

BOOST_AUTO_TEST_CASE(files_without_hyperparameters_can_be_listed) {
  const scratch_folder folder;
  gguf_parts p;
  const model_files m = model_files::open_raw(write_gguf(folder, p.tensor("x", {4, 2})));
  BOOST_TEST(m.raw_tensors().size() == 1u);
  BOOST_TEST(m.architecture_name().empty());
  BOOST_TEST(m.tensors().empty());
  BOOST_TEST(fails_with(status::internal, "no architecture", [&] { m.arch(); }));
}

BOOST_AUTO_TEST_CASE(the_content_hash_is_that_of_the_files) {
  const scratch_folder folder;
  gguf_parts p = tiny_gguf_metadata();
  const auto path = write_gguf(folder, add_tiny_tensors(p));
  BOOST_TEST(model_files::open(path).content_hash() == sha256_file(path));
  write_model(folder, tiny_folder_tensors());
  const std::string lines = cat(sha256_file(folder.path() / "config.json"), "  config.json\n",
                                sha256_file(folder.path() / "model.safetensors"), "  model.safetensors\n");
  const std::string before = model_files::open(folder.path()).content_hash();
  BOOST_TEST(before == sha256(lines));
  folder.write("config.json", tiny_config_with("\"tie_word_embeddings\":true,\"rope_theta\":5.0"));
  BOOST_TEST(model_files::open(folder.path()).content_hash() != before);
}

BOOST_AUTO_TEST_CASE(a_cache_blob_is_known_by_its_name) {
  const scratch_folder folder;
  gguf_parts p = tiny_gguf_metadata();
  const std::string name(64, 'a');
  test::write_below(folder, "blobs/" + name, test::text_of(add_tiny_tensors(p).file()));
  std::filesystem::create_directories(folder.path() / "snapshots");
  const auto link = folder.path() / "snapshots" / "m.gguf";
  std::filesystem::create_symlink(folder.path() / "blobs" / name, link);
  BOOST_TEST(model_files::open(link).content_hash() == name);
}

BOOST_AUTO_TEST_CASE(reference_models_of_the_family_open,
                     *boost::unit_test::precondition(test::with_reference)) {
  const auto models = test::reference_path() / "models" / "tiny";
  const model_files sharded = model_files::open(models / "llama");
  BOOST_TEST(sharded.raw_tensors().size() == 30u);
  BOOST_TEST(!sharded.arch().tied);
  BOOST_TEST(model_files::open(models / "llama-gqa-tied").arch().tied);
  BOOST_TEST(
      model_files::open(models / "llama3-rope").arch().blocks[0].attention->rope_inv_freq.values().size() ==
      12u);
  for (const char* name : {"gpt2", "gemma2", "mistral", "qwen3"}) {
    BOOST_TEST(model_files::open(models / name).arch().n_layers >= 3u, name);
  }
}

BOOST_AUTO_TEST_SUITE_END()
