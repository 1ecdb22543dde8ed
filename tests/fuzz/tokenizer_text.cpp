// SPDX-License-Identifier: Apache-2.0
// Any bytes through small tokenizers of each kind: as corpus/tokenizer_json and corpus/gguf_model hold them.
// Text that is not normalised comes back byte by byte, invalid UTF-8 included.
#include "fuzz/check.hpp"
#include "fuzz/targets.hpp"
#include "fuzz/tokens.hpp"

#include "depthlens/files/gguf.hpp"

#include <filesystem>
#include <string>

namespace depthlens::fuzz {
namespace {

std::filesystem::path corpus_file(const char* name) {
  return std::filesystem::path(DEPTHLENS_FUZZ_CORPUS) / name;
}

tokenizer json_tokenizer(const char* name) { return tokenizer::from_json(corpus_file(name)); }
tokenizer gguf_tokenizer(const char* name) { return tokenizer::from_gguf(gguf_file(corpus_file(name))); }

std::string come_back(const tokenizer& t, std::string_view text) {
  const std::vector<std::int32_t> ids = t.encode(text, tokenizer::special::none);
  check_ids(t, ids);
  return t.decode(ids);
}

// In vocabularies of characters U+2581 is a blank.
std::string with_blanks(std::string_view text) {
  std::string out(text);
  detail::replace_all(out, std::string(metaspace), " ");
  return out;
}

}  // namespace

void tokenizer_text(std::string_view input) {
  static const tokenizer bytes = json_tokenizer("tokenizer_json/bytes.json"),
                         characters = json_tokenizer("tokenizer_json/characters.json"),
                         scores = gguf_tokenizer("gguf_model/scores.gguf"),
                         composed = json_tokenizer("tokenizer_json/nfc.json"),
                         whole = json_tokenizer("tokenizer_json/whole_words.json");
  for (const tokenizer* const t : {&bytes, &whole})
    promise(come_back(*t, input) == input, "other bytes come back from a byte-level tokenizer");
  for (const tokenizer* const t : {&characters, &scores})
    promise(come_back(*t, input) == with_blanks(input),
            "other text comes back from a tokenizer of characters");
  const std::string once = come_back(composed, input);
  promise(come_back(composed, once) == once, "normalised text is normalised to another");
  for (const tokenizer* const t : {&bytes, &characters, &scores, &composed, &whole})
    check_ids(*t, t->encode(input, tokenizer::special::add));
}

}  // namespace depthlens::fuzz
