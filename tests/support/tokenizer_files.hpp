// SPDX-License-Identifier: Apache-2.0
// Small tokenizers made for the tests: as tokenizer.json text and as GGUF metadata. Token 0..255 of the
// byte-level ones is the byte of that value, further tokens follow in the order given.
#pragma once

#include "depthlens/tokenizer/byte_alphabet.hpp"
#include "depthlens/tokenizer/tokenizer.hpp"
#include "support/model_bytes.hpp"

#include <boost/json.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace depthlens::test {

using ids = std::vector<std::int32_t>;
using special = tokenizer::special;

// A pair of tokens to be joined, in plain bytes.
using merge_pair = std::pair<std::string, std::string>;

inline std::vector<std::string> byte_tokens() {
  std::vector<std::string> out;
  for (unsigned b = 0; b < 256; ++b) out.emplace_back(1, static_cast<char>(b));
  return out;
}

// Fields are JSON text; tokens and merges are plain bytes and are written in the byte alphabet if `bytes`.
struct json_tokenizer {
  bool bytes = true;
  std::vector<std::string> tokens = byte_tokens();
  std::vector<merge_pair> merges;
  bool merges_as_pairs = false;
  std::string pre_tokenizer = R"({"type":"ByteLevel","add_prefix_space":false,"use_regex":true})";
  std::string normalizer = "null", post_processor = "null", added = "[]";
  std::string decoder = R"({"type":"ByteLevel"})";
  std::string options;  // further members of "model", each with a comma behind

  // Adds the token that a pair joins into.
  json_tokenizer& join(std::string left, std::string right) {
    tokens.push_back(left + right);
    merges.emplace_back(std::move(left), std::move(right));
    return *this;
  }

  std::string written(std::string_view text) const {
    return bytes ? byte_alphabet::get().written(text) : std::string(text);
  }

  std::string text() const {
    boost::json::object vocab;
    for (std::size_t i = 0; i < tokens.size(); ++i) vocab[written(tokens[i])] = i;
    boost::json::array list;
    for (const auto& [l, r] : merges) {
      if (merges_as_pairs) {
        list.push_back(boost::json::array{written(l), written(r)});
      } else {
        list.emplace_back(written(l) + " " + written(r));
      }
    }
    return R"({"version":"1.0","truncation":null,"added_tokens":)" + added + R"(,"normalizer":)" +
           normalizer + R"(,"pre_tokenizer":)" + pre_tokenizer + R"(,"post_processor":)" + post_processor +
           R"(,"decoder":)" + decoder + R"(,"model":{"type":"BPE",)" + options + R"("vocab":)" +
           boost::json::serialize(vocab) + R"(,"merges":)" + boost::json::serialize(list) + "}}";
  }

  tokenizer load() const {
    const scratch_folder folder;
    return tokenizer::from_json(folder.write("tokenizer.json", text()));
  }
};

// A vocabulary of characters: <unk>, <s>, 256 byte tokens, then the characters and tokens given.
inline json_tokenizer character_tokenizer(const std::vector<std::string>& further) {
  json_tokenizer t;
  t.bytes = false;
  t.tokens = {"<unk>", "<s>"};
  for (unsigned b = 0; b < 256; ++b) t.tokens.push_back(byte_piece(b));
  t.tokens.insert(t.tokens.end(), further.begin(), further.end());
  t.pre_tokenizer = "null";
  t.options = R"("byte_fallback":true,"unk_token":"<unk>","fuse_unk":true,)";
  t.normalizer = R"({"type":"Sequence","normalizers":[{"type":"Prepend","prepend":"\u2581"},)"
                 R"({"type":"Replace","pattern":{"String":" "},"content":"\u2581"}]})";
  t.decoder =
      R"({"type":"Sequence","decoders":[{"type":"Replace","pattern":{"String":"\u2581"},"content":" "},)"
      R"({"type":"ByteFallback"},{"type":"Fuse"},{"type":"Strip","content":" ","start":1,"stop":0}]})";
  t.added = R"([{"id":0,"content":"<unk>","special":true},{"id":1,"content":"<s>","special":true}])";
  return t;
}

inline void put_strings(gguf_parts& file, std::string_view key, const std::vector<std::string>& list) {
  byte_writer& out = file.entry(key, 9).put(std::uint32_t{8}).put(std::uint64_t{list.size()});
  for (const std::string& s : list) out.string(s);
}

inline void put_types(gguf_parts& file, const std::vector<std::int32_t>& types) {
  byte_writer& out =
      file.entry("tokenizer.ggml.token_type", 9).put(std::uint32_t{5}).put(std::uint64_t{types.size()});
  for (const std::int32_t t : types) out.put(t);
}

inline void put_scores(gguf_parts& file, const std::vector<float>& scores) {
  byte_writer& out =
      file.entry("tokenizer.ggml.scores", 9).put(std::uint32_t{6}).put(std::uint64_t{scores.size()});
  for (const float s : scores) out.put(s);
}

// A byte-level GGUF vocabulary: the bytes, the merges' tokens, and the special token "<|end|>" as the last
// id.
inline gguf_parts gguf_bytes(const std::string& pre, const std::vector<merge_pair>& merges) {
  const auto& alphabet = byte_alphabet::get();
  std::vector<std::string> tokens, pairs;
  for (const std::string& b : byte_tokens()) tokens.push_back(alphabet.written(b));
  for (const auto& [l, r] : merges) {
    tokens.push_back(alphabet.written(l + r));
    pairs.push_back(alphabet.written(l) + " " + alphabet.written(r));
  }
  tokens.emplace_back("<|end|>");
  std::vector<std::int32_t> types(tokens.size(), 1);
  types.back() = 3;
  gguf_parts file;
  file.text("tokenizer.ggml.model", "gpt2");
  if (!pre.empty()) file.text("tokenizer.ggml.pre", pre);
  put_strings(file, "tokenizer.ggml.tokens", tokens);
  put_types(file, types);
  put_strings(file, "tokenizer.ggml.merges", pairs);
  return file;
}

inline tokenizer load(const gguf_parts& file) {
  const byte_writer bytes = file.file();
  return tokenizer::from_gguf(gguf_file(bytes.bytes(), "memory.gguf"));
}

}  // namespace depthlens::test
