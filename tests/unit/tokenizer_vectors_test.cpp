// SPDX-License-Identifier: Apache-2.0
// Small tokenizers that cut text as published families do (tests/golden/make_tokenizers.py), against the ids
// that Hugging Face's tokenizers library gives for them: from tokenizer.json, and from the same vocabulary as
// a GGUF file that names the family.
#include "support/tokenizer_files.hpp"

#include "depthlens/base/json.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

using namespace depthlens;
using namespace depthlens::test;

namespace {

namespace fs = std::filesystem;

constexpr auto each = boost::test_tools::per_element();

fs::path vectors_folder() {
  const char* source = std::getenv("DEPTHLENS_SOURCE");
  BOOST_REQUIRE_MESSAGE(source != nullptr, "DEPTHLENS_SOURCE must name the source tree");
  return fs::path(source) / "tests/golden/tokenizers";
}

struct vectors {
  json_document document =
      json_document::from_file(vectors_folder() / "vectors.json", depthlens::detail::tokenizer_json_limits);
  json_view texts = document.root().require("texts"), tokenizers = document.root().require("tokenizers");

  void check(const tokenizer& t, const json_view& expected) const {
    const json_view lists = expected.require("ids");
    BOOST_TEST_REQUIRE(lists.as_array().size() == texts.as_array().size());
    for (std::size_t i = 0; i < lists.as_array().size(); ++i) {
      ids wanted;
      const json_view list = lists.at(i);
      for (std::size_t k = 0; k < list.as_array().size(); ++k)
        wanted.push_back(static_cast<std::int32_t>(list.at(k).as_u64()));
      BOOST_TEST_CONTEXT(expected.require_string("name") << ", text " << i) {
        BOOST_TEST(t.encode(texts.at(i).as_string(), special::none) == wanted, each);
      }
    }
  }
};

// What a converter writes of a tokenizer.json.
gguf_parts gguf_of(const fs::path& json, std::string_view model, std::string_view pre) {
  const json_document document = json_document::from_file(json, depthlens::detail::tokenizer_json_limits);
  const json_view vocab = document.root().require("model").require("vocab"),
                  list = document.root().require("model").require("merges");
  std::vector<std::string> tokens(vocab.as_object().size()), merges;
  for (const auto& member : vocab.as_object())
    tokens.at(member.value().to_number<std::size_t>()) = std::string(member.key());
  for (std::size_t i = 0; i < list.as_array().size(); ++i)
    merges.push_back(std::string(list.at(i).at(0).as_string()) + " " +
                     std::string(list.at(i).at(1).as_string()));
  std::vector<std::int32_t> types(tokens.size(), 1);
  for (std::size_t i = 0; i < 4 && model == "gemma4"; ++i) types[i] = 3;
  for (std::size_t i = 4; i < 260 && model == "gemma4"; ++i) types[i] = 6;
  gguf_parts file;
  file.text("tokenizer.ggml.model", std::string(model));
  if (!pre.empty()) file.text("tokenizer.ggml.pre", std::string(pre));
  put_strings(file, "tokenizer.ggml.tokens", tokens);
  put_types(file, types);
  put_strings(file, "tokenizer.ggml.merges", merges);
  return file;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(tokenizer_vectors)

BOOST_AUTO_TEST_CASE(files_of_each_family_give_the_ids_of_the_tokenizers_library) {
  const vectors all;
  for (std::size_t i = 0; i < all.tokenizers.as_array().size(); ++i) {
    const json_view one = all.tokenizers.at(i);
    all.check(tokenizer::from_folder(vectors_folder() / one.require_string("name")), one);
  }
}

BOOST_AUTO_TEST_CASE(gguf_files_that_name_the_family_give_the_same_ids) {
  const vectors all;
  std::size_t named = 0;
  for (std::size_t i = 0; i < all.tokenizers.as_array().size(); ++i) {
    const json_view one = all.tokenizers.at(i);
    const std::string_view model = one.require_string("model"), pre = one.find_string("pre").value_or("");
    if (pre.empty() && model == "gpt2") continue;
    const fs::path json = vectors_folder() / one.require_string("name") / "tokenizer.json";
    all.check(load(gguf_of(json, model, pre)), one);
    ++named;
  }
  BOOST_TEST(named == 11U);
}

BOOST_AUTO_TEST_SUITE_END()
