// SPDX-License-Identifier: Apache-2.0
// The tokenizer of a GGUF file: exact ids, what stands for keys that are missing, and refusal of the rest.
// Where the reference vocabularies are present, their test vectors.
#include "support/reference.hpp"
#include "support/tokenizer_files.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

using namespace depthlens;
using namespace depthlens::test;

namespace {

constexpr auto each = boost::test_tools::per_element();

ids plain(const tokenizer& t, std::string_view text) { return t.encode(text, special::none); }

// "ab" 256, "12" 257, <|end|> 258.
gguf_parts small(const std::string& pre) { return gguf_bytes(pre, {{"a", "b"}, {"1", "2"}}); }

gguf_parts& flag(gguf_parts& file, std::string_view key, bool value) {
  file.entry(key, 7).put(static_cast<std::uint8_t>(value));
  return file;
}

struct score_vocabulary {
  std::vector<std::string> tokens{"<unk>", "<s>"};
  std::vector<std::int32_t> types{2, 3};
  std::vector<float> scores{0, 0};

  score_vocabulary() {
    for (unsigned b = 0; b < 256; ++b) add(byte_piece(b), 6, 0);
    add("\xE2\x96\x81", 1, -9);  // 258
    add("a", 1, -8);             // 259
    add("b", 1, -7);             // 260
    add("ab", 1, -1);            // 261
    add("\xE2\x96\x81"
        "a",
        1, -2);       // 262
    add("!!", 4, 0);  // 263
  }
  void add(const std::string& text, int type, float score) {
    tokens.push_back(text);
    types.push_back(type);
    scores.push_back(score);
  }
  gguf_parts file() const {
    gguf_parts out;
    out.text("tokenizer.ggml.model", "llama").text("tokenizer.ggml.pre", "default");
    put_strings(out, "tokenizer.ggml.tokens", tokens);
    put_types(out, types);
    put_scores(out, scores);
    out.u32("tokenizer.ggml.bos_token_id", 1);
    return out;
  }
};

// As Gemma 4's: <unk> 0, <bos> 1, <|turn> 2, a token for each byte, characters and two joins.
gguf_parts merge_vocabulary(std::string_view model = "gemma4") {
  std::vector<std::string> tokens{"<unk>", "<bos>", "<|turn>"};
  std::vector<std::int32_t> types{2, 3, 4};
  for (unsigned b = 0; b < 256; ++b) tokens.push_back(byte_piece(b));
  types.resize(tokens.size(), 6);
  const std::string blank(metaspace);
  for (const std::string& text : {blank, std::string("a"), std::string("\n"), blank + "a", blank + "a\n"})
    tokens.push_back(text);  // 259..263
  types.resize(tokens.size(), 1);
  gguf_parts out;
  out.text("tokenizer.ggml.model", std::string(model));
  put_strings(out, "tokenizer.ggml.tokens", tokens);
  put_types(out, types);
  put_strings(out, "tokenizer.ggml.merges", {blank + " a", blank + "a \n"});
  out.u32("tokenizer.ggml.bos_token_id", 1);
  return out;
}

bool refused(const gguf_parts& file, std::string_view part) {
  return fails_with(status::data, part, [&] { load(file); });
}

}  // namespace

BOOST_AUTO_TEST_SUITE(tokenizer_gguf)

BOOST_AUTO_TEST_CASE(byte_level_text_becomes_the_expected_ids_and_back) {
  const tokenizer t = load(small("gpt-2"));
  BOOST_TEST(t.size() == 259U);
  BOOST_TEST(plain(t, "ab12 \xC3\xA9") == (ids{256, 257, ' ', 0xC3, 0xA9}), each);
  BOOST_TEST(t.encode("ab<|end|>ab", special::add) == (ids{256, 258, 256}), each);
  BOOST_TEST(plain(t, "<|end|>").size() == 7U);
  BOOST_TEST(t.is_special(258));
  BOOST_TEST(t.bytes(258) == "<|end|>");
  BOOST_TEST(t.decode(ids{256, 0xFF}) == "ab\xFF");
  BOOST_TEST(t.prefix().empty());
}

BOOST_AUTO_TEST_CASE(the_name_of_the_pre_tokenizer_decides_how_digits_are_cut) {
  BOOST_TEST(plain(load(small("smollm")), "12") == (ids{'1', '2'}), each);
  BOOST_TEST(load(small("smollm")).kind() == "byte-level BPE (smollm)");
  BOOST_TEST(plain(load(small("llama-bpe")), "1212") == (ids{257, '1', '2'}), each);
  BOOST_TEST(plain(load(small("qwen2")), "12") == (ids{'1', '2'}), each);
}

BOOST_AUTO_TEST_CASE(a_missing_name_is_read_as_gpt2_and_says_so) {
  const tokenizer missing = load(small("")), standard = load(small("default"));
  BOOST_TEST(missing.kind() == "byte-level BPE (gpt-2, assumed)");
  BOOST_TEST_REQUIRE(missing.doubts().size() == 1U);
  BOOST_TEST(missing.doubts()[0].find("tokenizer.ggml.pre is missing: text is cut into words as by GPT-2") !=
             std::string::npos);
  BOOST_TEST(standard.doubts().size() == 1U);
  BOOST_TEST(load(small("gpt-2")).doubts().empty());
  BOOST_TEST(missing.content_hash() == standard.content_hash());
  BOOST_TEST(missing.content_hash() == load(small("gpt-2")).content_hash());
  gguf_parts neox = small("");
  neox.text("general.architecture", "gptneox");
  BOOST_TEST(load(neox).doubts().empty());
  BOOST_TEST(plain(load(neox), "e\xCC\x81") == (ids{0xC3, 0xA9}), each);  // GPT-NeoX normalises to NFC
  BOOST_TEST(plain(missing, "e\xCC\x81") == (ids{'e', 0xCC, 0x81}), each);
}

BOOST_AUTO_TEST_CASE(bos_is_added_by_the_flag_or_by_what_the_family_does) {
  gguf_parts file = small("gpt-2");
  file.u32("tokenizer.ggml.bos_token_id", 258);
  BOOST_TEST(load(file).prefix().empty());
  BOOST_TEST(load(file).bos().value() == 258);
  flag(file, "tokenizer.ggml.add_bos_token", true);
  BOOST_TEST(load(file).encode("ab", special::add) == (ids{258, 256}), each);
  BOOST_TEST(plain(load(file), "ab") == (ids{256}), each);
  gguf_parts llama = small("llama-bpe");
  llama.u32("tokenizer.ggml.bos_token_id", 258);
  BOOST_TEST(load(llama).prefix() == (ids{258}), each);
  flag(llama, "tokenizer.ggml.add_bos_token", false);
  BOOST_TEST(load(llama).prefix().empty());
  gguf_parts eos = small("gpt-2");
  eos.u32("tokenizer.ggml.eos_token_id", 258);
  flag(eos, "tokenizer.ggml.add_eos_token", true);
  BOOST_TEST(load(eos).encode("ab", special::add) == (ids{256, 258}), each);
}

BOOST_AUTO_TEST_CASE(added_tokens_of_phi3_take_the_white_space_behind_them) {
  gguf_parts file = score_vocabulary().file();
  const std::string text = "a!! \na";
  BOOST_TEST(plain(load(file), text).size() > 3U);
  file.text("general.architecture", "phi3");
  BOOST_TEST(plain(load(file), text) == (ids{262, 263, 262}), each);
  BOOST_TEST(load(file).encode("<s> a", special::add).size() > 3U);  // <s> does not
}

BOOST_AUTO_TEST_CASE(scores_join_and_bytes_stand_for_what_has_no_token) {
  const tokenizer t = load(score_vocabulary().file());
  BOOST_TEST(t.kind() == "SentencePiece BPE");
  BOOST_TEST(t.prefix() == (ids{1}), each);
  BOOST_TEST(plain(t, "ab") == (ids{258, 261}), each);  // the better score wins over the blank
  BOOST_TEST(plain(t, "a") == (ids{262}), each);
  BOOST_TEST(plain(t, "\xC3\xA9") == (ids{258, 2 + 0xC3, 2 + 0xA9}), each);
  BOOST_TEST(plain(t, "a!!a") == (ids{262, 263, 262}), each);
  BOOST_TEST(plain(t, "<s>").size() == 4U);
  BOOST_TEST(t.encode("<s>a", special::add) == (ids{1, 1, 262}), each);
  BOOST_TEST(t.bytes(262) == " a");
  BOOST_TEST(t.bytes(2 + 0x41) == "A");
  BOOST_TEST(t.decode(plain(t, "ab \xC3\xA9\xFF")) == "ab \xC3\xA9\xFF");
  gguf_parts file = score_vocabulary().file();
  flag(file, "tokenizer.ggml.add_space_prefix", false);
  BOOST_TEST(plain(load(file), "ab") == (ids{261}), each);
}

BOOST_AUTO_TEST_CASE(characters_join_by_merges_over_the_whole_text) {
  const tokenizer t = load(merge_vocabulary());
  BOOST_TEST(t.kind() == "SentencePiece BPE");
  BOOST_TEST(plain(t, "a a\n\n") == (ids{260, 263, 261}), each);
  BOOST_TEST(plain(t, "\xC3\xA9<|turn>a") == (ids{3 + 0xC3, 3 + 0xA9, 2, 260}), each);
  BOOST_TEST(t.encode("a", special::add) == (ids{1, 260}), each);
  BOOST_TEST(t.decode(plain(t, " a \xC3\xA9")) == " a \xC3\xA9");
  BOOST_TEST(t.doubts().empty());
}

BOOST_AUTO_TEST_CASE(gemma4_has_a_bos_whatever_the_flag_says_and_tells_so) {
  gguf_parts file = merge_vocabulary();
  flag(file, "tokenizer.ggml.add_bos_token", false);
  const tokenizer t = load(file);
  BOOST_TEST(t.prefix() == (ids{1}), each);
  BOOST_TEST_REQUIRE(t.doubts().size() == 1U);
  BOOST_TEST(t.doubts()[0].find("add_bos_token is false; Gemma 4") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(rows_that_converters_fill_up_are_not_found_in_text) {
  score_vocabulary v;
  v.add("[PAD264]", 4, 0);
  v.add("[PAD9]", 4, 0);  // a token of its own: its number is not its id
  const tokenizer t = load(v.file());
  BOOST_TEST(plain(t, "[PAD264]").size() > 1U);
  BOOST_TEST(plain(t, "[PAD9]") == (ids{265}), each);
}

BOOST_AUTO_TEST_CASE(a_bos_of_minus_one_is_none) {
  gguf_parts file = small("gpt-2");
  file.u32("tokenizer.ggml.bos_token_id", 0xffffffff).u32("tokenizer.ggml.eos_token_id", 0xffffffff);
  BOOST_TEST(load(file).encode("a", special::add) == (ids{'a'}), each);
}

BOOST_AUTO_TEST_CASE(the_names_of_further_pretokenizers_are_known) {
  for (const char* pre : {"deepseek-llm", "deepseek-coder", "deepseek-v3", "bloom", "falcon3", "refact",
                          "command-r", "stablelm2", "smaug-bpe", "qwen35", "llama4"})
    BOOST_TEST(!plain(load(small(pre)), "ab 12").empty(), pre);
  BOOST_TEST(load(small("falcon3")).kind() == "byte-level BPE (llama-3)");
}

BOOST_AUTO_TEST_CASE(what_is_wrong_or_not_understood_is_refused_by_name) {
  BOOST_TEST(refused(small("viking"), "memory.gguf: tokenizer.ggml.pre 'viking' is not supported"));
  BOOST_TEST(refused(small("kimi-k2"), "tokenizer.ggml.pre 'kimi-k2' is not supported"));
  BOOST_TEST(refused(small("gemma4"), "tokenizer.ggml.pre 'gemma4' is not supported"));
  BOOST_TEST(refused(merge_vocabulary().text("tokenizer.ggml.pre", "sarvam-moe"), "pre 'sarvam-moe' with"));
  gguf_parts blank = merge_vocabulary();
  BOOST_TEST(refused(flag(blank, "tokenizer.ggml.add_space_prefix", true), "add_space_prefix is set"));
  BOOST_TEST(refused(gguf_parts().text("tokenizer.ggml.model", "bert"), "tokenizer.ggml.model 'bert'"));
  BOOST_TEST(refused(gguf_parts(), "'tokenizer.ggml.model' is missing"));
  BOOST_TEST(
      refused(gguf_parts().text("tokenizer.ggml.model", "gpt2"), "'tokenizer.ggml.tokens' is missing"));
  gguf_parts file = small("gpt-2");
  file.u32("tokenizer.ggml.bos_token_id", 259);
  BOOST_TEST(refused(file, "'tokenizer.ggml.bos_token_id' = 259, but there are 259 tokens"));
  file = small("gpt-2");
  flag(file, "tokenizer.ggml.add_bos_token", true);
  BOOST_TEST(refused(file, "there is no bos_token_id"));
  score_vocabulary v;
  v.scores.pop_back();
  BOOST_TEST(refused(v.file(), "263 scores for 264 tokens"));
  v = {};
  v.types[5] = 7;
  BOOST_TEST(refused(v.file(), "token 5 is of unknown type 7"));
  v = {};
  v.types.pop_back();
  BOOST_TEST(refused(v.file(), "263 token types for 264 tokens"));
  v = {};
  v.tokens[2 + 0x41] = "<0xZZ>";
  BOOST_TEST(refused(v.file(), "<0xZZ>"));
  v = {};
  v.tokens[260] = "a";
  BOOST_TEST(refused(v.file(), "tokens 259 and 260 are the same: 'a'"));
}

BOOST_AUTO_TEST_CASE(merges_must_be_two_tokens_of_the_vocabulary) {
  const auto with = [](const std::string& merge) {
    gguf_parts file;
    file.text("tokenizer.ggml.model", "gpt2");
    put_strings(file, "tokenizer.ggml.tokens", {"a", "b", "ab"});
    put_strings(file, "tokenizer.ggml.merges", {merge});
    return file;
  };
  BOOST_TEST(plain(load(with("a b")), "ab") == (ids{2}), each);
  for (const char* bad : {"", " ", "ab", "a ", " b", "a b b", "a\xFF b", "\xE4\xB8\xAD b"}) {
    BOOST_TEST(refused(with(bad), "merge 0"), bad);
  }
}

BOOST_AUTO_TEST_CASE(a_file_cut_at_any_byte_is_an_error_of_data) {
  gguf_parts file;
  file.text("tokenizer.ggml.model", "gpt2");
  put_strings(file, "tokenizer.ggml.tokens", {"a", "b", "ab"});
  put_strings(file, "tokenizer.ggml.merges", {"a b"});
  const byte_writer whole = file.file(1);
  BOOST_TEST(tokenizer::from_gguf(gguf_file(whole.bytes(), "f")).size() == 3U);
  std::size_t good = 0;
  for (std::size_t size = 0; size < whole.size(); ++size) {
    good += fails_with(status::data, "f",
                       [&] { tokenizer::from_gguf(gguf_file(whole.bytes().first(size), "f")); });
  }
  BOOST_TEST(good == whole.size());
}

BOOST_AUTO_TEST_CASE(several_threads_get_the_same_ids) {
  const tokenizer t = load(small("llama-bpe"));
  std::string text;
  for (int i = 0; i < 2000; ++i) text += " ab12 x'LL \n";
  const ids expected = t.encode(text, special::add);
  std::vector<int> same(4, 0);
  {
    std::vector<std::jthread> threads;
    for (std::size_t k = 0; k < same.size(); ++k) {
      threads.emplace_back([&, k] {
        for (int i = 0; i < 10; ++i) same[k] += t.encode(text, special::add) == expected;
      });
    }
  }
  BOOST_TEST(std::count(same.begin(), same.end(), 10) == 4);
}

BOOST_AUTO_TEST_CASE(published_vocabularies_give_the_ids_of_their_test_vectors,
                     *boost::unit_test::precondition(with_reference)) {
  const std::string marker = "\n__ggml_vocab_test__\n";
  for (const char* name : {"falcon", "gpt-2", "llama-bpe", "llama-spm", "phi-3", "qwen2"}) {
    const std::string path =
        (reference_path() / "tokenizers" / ("ggml-vocab-" + std::string(name) + ".gguf")).string();
    const tokenizer t = tokenizer::from_gguf(gguf_file(path));
    const std::string texts = read_bytes(path + ".inp");
    std::istringstream lines(read_bytes(path + ".out"));
    std::size_t cases = 0;
    for (std::size_t at = 0; at <= texts.size(); ++cases) {
      const std::size_t end = std::min(texts.find(marker, at), texts.size());
      std::string line;
      std::getline(lines, line);  // the last text is empty, and so is its line
      std::istringstream numbers(line);
      ids expected;
      for (std::int32_t id = 0; numbers >> id;) expected.push_back(id);
      BOOST_TEST_CONTEXT(name << " case " << cases) {
        BOOST_TEST(plain(t, texts.substr(at, end - at)) == expected, each);
      }
      at = end + marker.size();
    }
    BOOST_TEST(cases == 47U);
  }
}

BOOST_AUTO_TEST_SUITE_END()
