// SPDX-License-Identifier: Apache-2.0
// Model folders with vocab.json and merges.txt: the same ids as the tokenizer.json they stand for, special
// tokens from the files beside them, and refusal of what these files leave open.
#include "support/tokenizer_files.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace depthlens;
using namespace depthlens::test;

namespace {

constexpr auto each = boost::test_tools::per_element();

ids plain(const tokenizer& t, std::string_view text) { return t.encode(text, special::none); }
ids framed(const tokenizer& t, std::string_view text) { return t.encode(text, special::add); }

// Bytes 0..255, "he" 256, " t" 257, " the" 258, then the tokens in plain characters given.
struct old_folder {
  explicit old_folder(const std::vector<std::string>& further = {"<|endoftext|>"}) {
    json_tokenizer t;
    t.join("h", "e").join(" ", "t").join(" t", "he");
    boost::json::object vocab;
    for (std::size_t i = 0; i < t.tokens.size(); ++i) vocab[t.written(t.tokens[i])] = i;
    for (const std::string& token : further) vocab[token] = vocab.size();
    write("vocab.json", boost::json::serialize(vocab));
    std::string merges = "#version: 0.2\n";
    for (const auto& [l, r] : t.merges) merges += t.written(l) + " " + t.written(r) + "\n";
    write("merges.txt", merges);
  }
  old_folder& write(std::string_view name, std::string_view text) {
    folder.write(std::string(name), text);
    return *this;
  }
  tokenizer load() const { return tokenizer::from_folder(folder.path()); }
  bool refused(std::string_view part) const {
    return fails_with(status::data, part, [&] { load(); });
  }

  scratch_folder folder;
};

constexpr std::string_view gpt2_model = R"({"model_type":"gpt2"})";

}  // namespace

BOOST_AUTO_TEST_SUITE(tokenizer_folder)

BOOST_AUTO_TEST_CASE(vocab_and_merges_of_gpt2_are_read_and_add_no_bos) {
  const tokenizer t = old_folder().write("config.json", gpt2_model).load();
  BOOST_TEST(t.size() == 260U);
  BOOST_TEST(t.kind() == "byte-level BPE (gpt-2)");
  BOOST_TEST(framed(t, "he the") == (ids{256, 258}), each);
  BOOST_TEST(framed(t, "he<|endoftext|>") == (ids{256, 259}), each);
  BOOST_TEST(t.is_special(259));
  BOOST_TEST(t.bos().value() == 259);
  BOOST_TEST(t.prefix().empty());
  BOOST_TEST(t.decode(ids{256, 258, 259}) == "he the<|endoftext|>");
}

BOOST_AUTO_TEST_CASE(tokenizer_json_goes_before_vocab_and_merges) {
  json_tokenizer t;
  t.join("l", "l");
  const tokenizer k = old_folder().write("config.json", gpt2_model).write("tokenizer.json", t.text()).load();
  BOOST_TEST(k.size() == 257U);
  BOOST_TEST(plain(k, "ll he") == (ids{256, ' ', 'h', 'e'}), each);
}

BOOST_AUTO_TEST_CASE(settings_that_contradict_tokenizer_json_are_in_doubt_and_not_followed) {
  json_tokenizer t;
  t.pre_tokenizer = R"({"type":"ByteLevel","add_prefix_space":true})";
  old_folder f;
  f.write("tokenizer.json", t.text());
  const auto doubts = [&](std::string_view settings) {
    const tokenizer k = f.write("tokenizer_config.json", settings).load();
    BOOST_TEST(framed(k, "a") == (ids{' ', 'a'}), each);
    return k.doubts();
  };
  BOOST_TEST(f.load().doubts().empty());
  BOOST_TEST(doubts(R"({"add_bos_token":false,"add_eos_token":null,"add_prefix_space":true})").empty());
  const auto all = doubts(R"({"add_bos_token":true,"add_eos_token":true,"add_prefix_space":false})");
  BOOST_TEST_REQUIRE(all.size() == 1U);
  BOOST_TEST(all[0].find("tokenizer_config.json: add_bos_token is true, add_eos_token is true, "
                         "add_prefix_space is false, but tokenizer.json") != std::string::npos);
  for (const char* broken : {"", "[]", R"({"add_bos_token":7})", R"({"add_bos_token":)"}) {
    const auto lines = doubts(broken);
    BOOST_TEST_REQUIRE(lines.size() == 1U);
    BOOST_TEST(lines[0].find("tokenizer_config.json") != std::string::npos);
  }
}

BOOST_AUTO_TEST_CASE(opt_has_its_bos_in_front_by_add_bos_token) {
  old_folder f({"</s>", "<pad>"});
  f.write("config.json", R"({"model_type":"opt"})")
      .write("tokenizer_config.json",
             R"({"tokenizer_class":"GPT2Tokenizer","add_bos_token":true,"add_prefix_space":false,)"
             R"("unk_token":{"__type":"AddedToken","content":"</s>","lstrip":false,"normalized":true,)"
             R"("rstrip":false,"single_word":false},)"
             R"("bos_token":"</s>","eos_token":"</s>","pad_token":"<pad>"})");
  const tokenizer t = f.load();
  BOOST_TEST(t.size() == 261U);
  BOOST_TEST(t.prefix() == (ids{259}), each);
  BOOST_TEST(framed(t, "he</s>") == (ids{259, 256, 259}), each);
  BOOST_TEST(framed(t, "") == (ids{259}), each);
  BOOST_TEST(t.is_special(260));
  f.write("tokenizer_config.json", R"({"tokenizer_class":"GPT2Tokenizer","bos_token":"</s>"})");
  BOOST_TEST(f.refused("add_bos_token"));
}

BOOST_AUTO_TEST_CASE(qwen2_normalises_and_cuts_single_digits) {
  old_folder f;
  f.write("tokenizer_config.json", R"({"tokenizer_class":"Qwen2TokenizerFast","bos_token":null})");
  const tokenizer t = f.load();
  BOOST_TEST(t.kind() == "byte-level BPE (qwen2)");
  BOOST_TEST(!t.bos().has_value());
  BOOST_TEST(plain(t, "e\xCC\x81") == (ids{0xC3, 0xA9}), each);
  f.write("tokenizer_config.json", R"({"tokenizer_class":"Qwen2Tokenizer","add_prefix_space":true})");
  BOOST_TEST(f.refused("'add_prefix_space'"));
}

BOOST_AUTO_TEST_CASE(qwen35_and_the_experts_of_qwen_are_told_by_class_or_model) {
  old_folder f;
  f.write("tokenizer_config.json", R"({"tokenizer_class":"Qwen3_5Tokenizer"})");
  BOOST_TEST(f.load().kind() == "byte-level BPE (qwen35)");
  BOOST_TEST(plain(f.load(), "e\xCC\x81") == (ids{0xC3, 0xA9}), each);
  const auto kind_of = [](const std::string& model) {
    return old_folder().write("config.json", R"({"model_type":")" + model + R"("})").load().kind();
  };
  for (const char* model : {"qwen2_moe", "qwen3_moe"})
    BOOST_TEST(kind_of(model) == "byte-level BPE (qwen2)", model);
  for (const char* model : {"qwen3_5", "qwen3_5_moe", "qwen3_5_text", "qwen3_5_moe_text"})
    BOOST_TEST(kind_of(model) == "byte-level BPE (qwen35)", model);
}

BOOST_AUTO_TEST_CASE(gpt2_has_no_merge_in_the_first_line_nor_behind_the_last_line_break) {
  old_folder f;
  f.write("config.json", gpt2_model).write("merges.txt", "h e\n\xC4\xA0 t\n\xC4\xA0t he");
  BOOST_TEST(plain(f.load(), "he the") == (ids{'h', 'e', 257, 'h', 'e'}), each);
  f.write("config.json", R"({"model_type":"qwen2"})");
  BOOST_TEST(plain(f.load(), "he the") == (ids{256, 258}), each);
}

BOOST_AUTO_TEST_CASE(added_tokens_keep_their_ids_and_special_ones_without_an_id_get_the_next) {
  old_folder f;
  f.write("config.json", gpt2_model)
      .write("added_tokens.json", R"({"<x>":261,"  ":260})")
      .write("special_tokens_map.json",
             R"({"bos_token":"<x>","pad_token":{"content":"<pad>","lstrip":true,"rstrip":false,)"
             R"("normalized":false}})");
  const tokenizer t = f.load();
  BOOST_TEST(t.size() == 263U);
  BOOST_TEST(t.is_special(261));
  BOOST_TEST(!t.is_special(260));
  BOOST_TEST(t.bos().value() == 261);
  BOOST_TEST(framed(t, "he  <x>he \t<pad>") == (ids{256, 260, 261, 256, 262}), each);
  BOOST_TEST(plain(t, "  <x>") == (ids{260, '<', 'x', '>'}), each);
}

BOOST_AUTO_TEST_CASE(added_tokens_decoder_goes_before_the_older_files) {
  old_folder f;
  f.write("added_tokens.json", R"({"<y>":260})")
      .write("special_tokens_map.json", R"({"bos_token":"<y>"})")
      .write("tokenizer_config.json",
             R"({"tokenizer_class":"CodeGenTokenizer","add_prefix_space":true,)"
             R"("add_eos_token":true,"added_tokens_decoder":{)"
             R"("259":{"content":"<|endoftext|>","special":true},"260":{"content":"<z>","rstrip":true}}})");
  const tokenizer t = f.load();
  BOOST_TEST(t.size() == 261U);
  BOOST_TEST(framed(t, "the<z> he") == (ids{258, 260, ' ', 256, 259}), each);
}

BOOST_AUTO_TEST_CASE(a_folder_that_does_not_say_enough_is_refused_by_name) {
  old_folder f;
  BOOST_TEST(f.refused("model_type ''"));
  f.write("config.json", R"({"model_type":"llama"})");
  BOOST_TEST(f.refused("model_type 'llama'"));
  f.write("tokenizer_config.json", R"({"tokenizer_class":"RobertaTokenizer"})");
  BOOST_TEST(f.refused("tokenizer_class 'RobertaTokenizer'"));
  f.write("tokenizer_config.json", R"({"tokenizer_class":"GPT2Tokenizer","split_special_tokens":true})");
  BOOST_TEST(f.refused("'split_special_tokens'"));
  const scratch_folder empty;
  BOOST_TEST(fails_with(status::no_input, "no tokenizer.json, and no vocab.json",
                        [&] { tokenizer::from_folder(empty.path()); }));
  empty.write("tokenizer.model", "x");
  BOOST_TEST(fails_with(status::no_input, "tokenizer.model", [&] { tokenizer::from_folder(empty.path()); }));
}

BOOST_AUTO_TEST_CASE(inconsistent_files_are_refused_with_their_place) {
  const auto with = [](std::string_view name, std::string_view text) {
    old_folder f;
    f.write("config.json", gpt2_model).write(name, text);
    try {
      f.load();
    } catch (const error& e) {
      return std::string(e.what());
    }
    return std::string("loaded");
  };
  const auto says = [&](std::string_view name, std::string_view text, std::string_view part) {
    return with(name, text).find(part) != std::string::npos;
  };
  BOOST_TEST(says("merges.txt", "#version: 0.2\nh e\nh  e\n", "merges.txt:3: "));
  BOOST_TEST(says("merges.txt", "h e\n\nh e\n", "merges.txt:2: "));
  BOOST_TEST(says("merges.txt", "#version: 0.2\nh x\n", "merge 0 needs the token 'hx'"));
  BOOST_TEST(with("merges.txt", "#version: 0.2\r\nh e\r\n") == "loaded");
  BOOST_TEST(says("added_tokens.json", R"({"<x>":300})", "has id 300"));
  BOOST_TEST(says("added_tokens.json", R"({"<x>":256})", "the same id 256"));
  BOOST_TEST(says("added_tokens.json", R"({"<x>":4000000000})", "id 4000000000"));
  BOOST_TEST(says("added_tokens.json", R"({"":260})", "a token of 0 bytes"));
  BOOST_TEST(says("special_tokens_map.json", R"({"bos_token":7})", "bos_token"));
  BOOST_TEST(says("special_tokens_map.json", R"({"bos_token":""})", "bos_token"));
  BOOST_TEST(says("tokenizer_config.json",
                  R"({"tokenizer_class":"GPT2Tokenizer","added_tokens_decoder":{"x":{"content":"<x>"}}})",
                  "'x'"));
  BOOST_TEST(says("vocab.json", "[]", "vocab.json"));
  BOOST_TEST(says("vocab.json", R"({"a":0,"b":7})", "without gaps"));
}

BOOST_AUTO_TEST_SUITE_END()
