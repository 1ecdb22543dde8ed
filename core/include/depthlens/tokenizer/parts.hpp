// SPDX-License-Identifier: Apache-2.0
// All that a tokenizer is made of, as the readers of tokenizer.json and of GGUF hand it over, and the hash of
// all of it that changes ids.
#pragma once

#include "depthlens/base/hash.hpp"
#include "depthlens/tokenizer/added_tokens.hpp"
#include "depthlens/tokenizer/bpe_vocabulary.hpp"
#include "depthlens/tokenizer/normalizer.hpp"
#include "depthlens/tokenizer/pretokenizer.hpp"
#include "depthlens/tokenizer/string_table.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace depthlens {

// More than any tokenizer has; bounds the work that a file can ask for.
inline constexpr std::size_t max_tokens = std::size_t{1} << 24;
inline constexpr std::size_t max_added_token = 1024;  // bytes

// What decode does after joining the bytes of the tokens.
enum class decode_rule {
  join,               // nothing
  strip_blank,        // drops one leading blank
  strip_first_token,  // drops all blanks of the first token
};

struct tokenizer_parts {
  std::string file;  // for errors
  std::string kind;  // for people: "byte-level BPE (smollm)"
  bpe_vocabulary vocabulary;
  string_list surface;                // (V) the bytes that each id stands for inside a text
  std::vector<std::uint8_t> special;  // (V) 1 = special
  std::vector<added_token> added;
  std::vector<normalizer_step> normalizer;   // before added tokens with `normalized` are looked for
  std::vector<normalizer_step> preparation;  // after that
  std::vector<split_step> splits;
  std::vector<std::int32_t> prefix, suffix;  // what special tokens are put around a text
  std::optional<std::int32_t> bos;
  decode_rule decoding = decode_rule::join;
  std::vector<std::string> doubts;  // for people: what the files leave open or say in two ways, a line each
};

namespace detail {

// Feeds numbers, and strings with their lengths, to SHA-256.
class hash_stream {
 public:
  void number(std::int64_t n) {
    for (int i = 0; i < 8; ++i) buffer_ += static_cast<char>(static_cast<std::uint64_t>(n) >> (8 * i));
    if (buffer_.size() >= 1U << 16) flush();
  }
  void text(std::string_view s) {
    number(static_cast<std::int64_t>(s.size()));
    buffer_ += s;
  }
  void ids(const std::vector<std::int32_t>& list) {
    number(static_cast<std::int64_t>(list.size()));
    for (const std::int32_t id : list) number(id);
  }
  std::string hex() {
    flush();
    return hash_.finish();
  }

 private:
  void flush() {
    hash_.update(std::string_view(buffer_));
    buffer_.clear();
  }

  sha256_stream hash_;
  std::string buffer_;
};

inline void hash_vocabulary(hash_stream& h, const bpe_vocabulary& v) {
  h.number(static_cast<std::int64_t>(v.units));
  h.number(v.whole_words);
  h.number(v.unknown);
  h.number(v.fuse_unknown);
  h.number(static_cast<std::int64_t>(v.pieces.size()));
  for (std::size_t i = 0; i < v.pieces.size(); ++i) {
    h.text(v.pieces[i]);
    h.number(v.index.find(v.pieces, v.pieces[i]) == static_cast<std::int32_t>(i));
  }
  h.number(static_cast<std::int64_t>(v.merges.size()));
  for (const bpe_merge& m : v.merges) {
    h.number(m.left);
    h.number(m.right);
    h.number(m.result);
  }
  h.number(static_cast<std::int64_t>(v.ranks.size()));
  for (const std::uint32_t rank : v.ranks) h.number(rank);
}

inline void hash_steps(hash_stream& h, const std::vector<normalizer_step>& steps) {
  h.number(static_cast<std::int64_t>(steps.size()));
  for (const normalizer_step& s : steps) {
    h.number(static_cast<std::int64_t>(s.what));
    h.text(s.from);
    h.text(s.to);
  }
}

}  // namespace detail

// SHA-256 (lower-case hex) over everything in `parts` that changes the ids of a text.
inline std::string content_hash_of(const tokenizer_parts& parts) {
  detail::hash_stream h;
  h.text("depthlens tokenizer 1");
  detail::hash_vocabulary(h, parts.vocabulary);
  h.number(static_cast<std::int64_t>(parts.added.size()));
  for (const added_token& t : parts.added) {
    h.number(t.id);
    h.text(t.content);
    h.number(t.special | t.single_word << 1 | t.lstrip << 2 | t.rstrip << 3 | t.normalized << 4);
  }
  detail::hash_steps(h, parts.normalizer);
  detail::hash_steps(h, parts.preparation);
  h.number(static_cast<std::int64_t>(parts.splits.size()));
  for (const split_step& s : parts.splits) {
    h.text(s.expression);
    h.number(s.literal);
    h.number(static_cast<std::int64_t>(s.behavior) | (s.inverted ? 8 : 0));
  }
  h.ids(parts.prefix);
  h.ids(parts.suffix);
  return h.hex();
}

}  // namespace depthlens
