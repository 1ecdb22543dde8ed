// SPDX-License-Identifier: Apache-2.0
// Seeds of tokenizer_json, of gguf_model (vocabularies) and of tokenizer_text: small vocabularies trained
// here on a few sentences, so that words really join, with the pre-tokenizers and options of the published
// families.
#include "fuzz/seeds/seeds.hpp"

#include "depthlens/tokenizer/pattern.hpp"
#include "support/tokenizer_files.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace depthlens::fuzz {
namespace {

using test::merge_pair;
using word = std::vector<std::string>;

constexpr std::string_view sample =
    "The river runs down to the sea, and the sea is never full. In 2026 we counted 1200 boats there; "
    "it's what they'd told us, wasn't it? \"Never,\" she said, \"the winter storms took all of them.\"\n"
    "Under the bridge the water stands still. \xC3\x9C"
    "ber den Fluss f\xC3\xBChrt eine Br\xC3\xBC"
    "cke.\n";

// Joins a pair wherever it stands.
void join(word& w, const merge_pair& pair) {
  for (std::size_t i = 0; i + 1 < w.size(); ++i) {
    if (w[i] != pair.first || w[i + 1] != pair.second) continue;
    w[i] += w[i + 1];
    w.erase(w.begin() + static_cast<std::ptrdiff_t>(i) + 1);
  }
}

// The n pairs that byte-pair training joins first: the most frequent, the smallest of equals.
std::vector<merge_pair> train(std::vector<word> words, std::size_t n) {
  std::vector<merge_pair> out;
  while (out.size() < n) {
    std::map<merge_pair, int> counts;
    for (const word& w : words)
      for (std::size_t i = 0; i + 1 < w.size(); ++i) ++counts[{w[i], w[i + 1]}];
    if (counts.empty()) break;
    const auto best = std::max_element(counts.begin(), counts.end(),
                                       [](const auto& a, const auto& b) { return a.second < b.second; });
    out.push_back(best->first);
    for (word& w : words) join(w, out.back());
  }
  return out;
}

// The sample cut before each blank, in bytes or in characters with U+2581 for a blank.
std::vector<word> sample_words(bool characters) {
  std::vector<word> out(1);
  for (std::size_t at = 0; at < sample.size();) {
    const std::size_t size = characters ? utf8_at(sample, at).size : 1;
    const std::string unit(sample.substr(at, size));
    if (unit == " ") out.emplace_back();
    out.back().push_back(characters && unit == " " ? std::string(metaspace) : unit);
    at += size;
  }
  return out;
}

std::string added(std::size_t id, const char* text, const char* flags) {
  return cat(R"({"id":)", id, R"(,"content":")", text, R"(")", flags, "}");
}

test::json_tokenizer byte_level(std::size_t merges) {
  test::json_tokenizer t;
  for (const merge_pair& m : train(sample_words(false), merges)) t.join(m.first, m.second);
  const std::size_t n = t.tokens.size();
  t.added = cat("[", added(n, "<s>", R"(,"special":true,"rstrip":true)"), ",",
                added(n + 1, "<mask>", R"(,"special":true,"lstrip":true,"single_word":true)"), ",",
                added(n + 2, "[tool]", R"(,"normalized":true)"), "]");
  t.post_processor =
      cat(R"({"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>","type_id":0}},)"
          R"({"Sequence":{"id":"A","type_id":0}}],"pair":[],"special_tokens":{"<s>":{"id":"<s>",)"
          R"("ids":[)",
          n, R"(],"tokens":["<s>"]}}})");
  return t;
}

std::string split_by(std::string_view pattern, std::string_view behavior) {
  return cat(R"({"type":"Split","pattern":{"Regex":)", boost::json::serialize(boost::json::string(pattern)),
             R"(},"behavior":")", behavior, R"(","invert":false})");
}

constexpr const char* last_step = R"({"type":"ByteLevel","add_prefix_space":false,"use_regex":false})";

std::vector<std::string> character_tokens(std::vector<merge_pair>& merges) {
  const std::vector<word> words = sample_words(true);
  std::vector<std::string> out;
  for (const word& w : words) out.insert(out.end(), w.begin(), w.end());
  merges = train(words, 60);
  for (const merge_pair& m : merges) out.push_back(m.first + m.second);
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

void write_vocabularies(const std::filesystem::path& dir, const test::json_tokenizer& characters) {
  test::gguf_parts file;
  file.text("tokenizer.ggml.model", "llama").u32("tokenizer.ggml.bos_token_id", 1);
  test::put_strings(file, "tokenizer.ggml.tokens", characters.tokens);
  std::vector<std::int32_t> types(characters.tokens.size(), 1);
  std::vector<float> scores(characters.tokens.size());
  for (std::size_t i = 0; i < types.size(); ++i) {
    if (i < 258) types[i] = i == 0 ? 2 : i == 1 ? 3 : 6;
    scores[i] = -static_cast<float>(i % 97);
  }
  test::put_types(file, types);
  test::put_scores(file, scores);
  put_seed(dir, "gguf_model/scores.gguf", test::text_of(file.file()));
  test::gguf_parts by_merges;
  by_merges.text("tokenizer.ggml.model", "gemma4").u32("tokenizer.ggml.bos_token_id", 1);
  test::put_strings(by_merges, "tokenizer.ggml.tokens", characters.tokens);
  test::put_types(by_merges, types);
  std::vector<std::string> pairs;
  for (const merge_pair& m : characters.merges) pairs.push_back(m.first + " " + m.second);
  test::put_strings(by_merges, "tokenizer.ggml.merges", pairs);
  put_seed(dir, "gguf_model/merges.gguf", test::text_of(by_merges.file()));
}

void write_characters(const std::filesystem::path& dir) {
  std::vector<merge_pair> merges;
  test::json_tokenizer t = test::character_tokenizer(character_tokens(merges));
  t.merges = merges;
  write_vocabularies(dir, t);
  put_seed(dir, "tokenizer_json/characters.json", t.text());
  t.normalizer = "null";
  t.pre_tokenizer = R"({"type":"Metaspace","replacement":"\u2581","prepend_scheme":"first","split":false})";
  t.decoder = R"({"type":"Metaspace","replacement":"\u2581","prepend_scheme":"first"})";
  t.merges_as_pairs = true;
  put_seed(dir, "tokenizer_json/metaspace.json", t.text());
}

}  // namespace

void write_tokenizer_seeds(const std::filesystem::path& dir) {
  test::json_tokenizer t = byte_level(120);
  put_seed(dir, "tokenizer_json/bytes.json", t.text());
  t.pre_tokenizer = cat(R"({"type":"Sequence","pretokenizers":[)",
                        split_by(split_patterns::llama3, "Isolated"), ",", last_step, "]}");
  t.options = R"("ignore_merges":true,)";
  put_seed(dir, "tokenizer_json/whole_words.json", t.text());
  t.options.clear();
  t.normalizer = R"({"type":"NFC"})";
  t.pre_tokenizer = cat(R"({"type":"Sequence","pretokenizers":[{"type":"Digits","individual_digits":true},)",
                        split_by(split_patterns::qwen2, "Isolated"), ",", last_step, "]}");
  put_seed(dir, "tokenizer_json/nfc.json", t.text());
  t.pre_tokenizer = cat(R"({"type":"Sequence","pretokenizers":[{"type":"Punctuation","behavior":"Removed"},)",
                        split_by(split_patterns::digits, "MergedWithNext"), ",", last_step, "]}");
  put_seed(dir, "tokenizer_json/removed.json", t.text());
  test::json_tokenizer bare = byte_level(0);
  bare.pre_tokenizer = R"({"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"String":" "},)"
                       R"("behavior":"MergedWithPrevious"},{"type":"ByteLevel"}]})";
  bare.tokens = {"a", "b", " "};
  bare.added = R"([{"id":3,"content":"<x>","special":true,"lstrip":true}])";
  bare.post_processor = "null";
  bare.join("a", "b");
  std::swap(bare.tokens[2], bare.tokens[3]);
  bare.added = R"([{"id":4,"content":"<x>","special":true,"lstrip":true}])";
  put_seed(dir, "tokenizer_json/bare.json", bare.text());
  write_characters(dir);
  const auto merges = train(sample_words(false), 40);
  for (const char* pre : {"llama-bpe", "qwen2", "qwen35", "smollm", "falcon"})
    put_seed(dir, cat("gguf_model/", pre, ".gguf"), test::text_of(test::gguf_bytes(pre, merges).file()));
  put_seed(dir, "tokenizer_text/sample", sample);
  put_seed(dir, "tokenizer_text/marks",
           "<s> a <mask> b[tool]<s>\xE2\x96\x81 \xF0\x9F\x91\xA9\xE2\x80\x8D\xF0\x9F\x92\xBB e\xCC\x81");
  put_seed(dir, "tokenizer_text/broken", "ab\xFF cd\xE2\x96 \xC3(\xED\xA0\x80 1234 \r\n\r\n  'LL");
}

}  // namespace depthlens::fuzz
