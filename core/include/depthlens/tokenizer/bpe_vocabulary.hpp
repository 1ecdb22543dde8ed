// SPDX-License-Identifier: Apache-2.0
// What a byte-pair encoder knows: its tokens as the text it sees, and the order in which neighbours join. The
// readers of tokenizer.json and of GGUF fill it through the functions here, which refuse what is
// inconsistent; bpe.hpp encodes with it.
#pragma once

#include "depthlens/base/error.hpp"
#include "depthlens/base/text.hpp"
#include "depthlens/tokenizer/byte_alphabet.hpp"
#include "depthlens/tokenizer/string_table.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace depthlens {

// Two neighbouring tokens that join into a third.
struct bpe_merge {
  std::int32_t left, right, result;
  bool operator==(const bpe_merge&) const = default;
};

struct bpe_vocabulary {
  // A text starts as its bytes (GPT-2 and what follows it), or as its characters with a blank written as
  // U+2581 and one token per byte for characters that have none (SentencePiece).
  enum class unit_kind { bytes, characters };

  unit_kind units = unit_kind::bytes;
  string_list pieces;                        // (V) the text of each id: plain bytes, not in the byte alphabet
  string_index index;                        // the ids that text can become
  std::array<std::int32_t, 256> byte_ids{};  // the token of each byte, or -1
  std::vector<bpe_merge> merges;             // first joins first; empty if there are scores
  std::vector<std::uint32_t> ranks;  // (V) from scores: the smaller joins first, equal ones from the left
  std::int32_t unknown = -1;         // stands for a byte without a token; -1: such a byte is left out
  bool fuse_unknown = false;         // several such bytes in a row are one unknown token
  bool whole_words = false;          // a word that is a token is that token, whatever the merges say
};

// A blank in a vocabulary of characters: U+2581.
inline constexpr std::string_view metaspace = "\xE2\x96\x81";

// Fills the index with the ids whose `reachable` is not 0, in the order of ids. `file` starts each error.
inline void index_pieces(bpe_vocabulary& v, std::span<const std::uint8_t> reachable, std::string_view file) {
  v.index.reserve(v.pieces.size());
  for (std::size_t i = 0; i < v.pieces.size(); ++i) {
    if (reachable[i] == 0) continue;
    if (v.pieces[i].empty()) fail(status::data, file, ": token ", i, " is empty");
    const std::int32_t other = v.index.add(v.pieces, static_cast<std::int32_t>(i));
    if (other != string_index::none) {
      fail(status::data, file, ": tokens ", other, " and ", i, " are the same: ", printable(v.pieces[i]));
    }
  }
}

// byte_ids of a vocabulary of bytes: its tokens of one byte. At least one must exist. Bytes without a token
// are normal: published vocabularies leave out bytes that their training text did not have.
inline void find_single_bytes(bpe_vocabulary& v, std::string_view file) {
  int found = 0;
  for (unsigned b = 0; b < 256; ++b) {
    const char byte = static_cast<char>(b);
    v.byte_ids[b] = v.index.find(v.pieces, {&byte, 1});
    found += v.byte_ids[b] != string_index::none;
  }
  if (found == 0) fail(status::data, file, ": a byte-level vocabulary that has no token of a single byte");
}

// How byte `b` is written as a token of a vocabulary of characters: "<0x0A>".
inline std::string byte_piece(unsigned b) {
  static constexpr char digits[] = "0123456789ABCDEF";
  return {'<', '0', 'x', digits[b >> 4], digits[b & 15], '>'};
}

// byte_ids of a vocabulary of characters: the tokens "<0x00>".."<0xFF>", all of which must exist.
// `index` is over all tokens of v.pieces.
inline void find_byte_pieces(bpe_vocabulary& v, const string_index& index, std::string_view file) {
  for (unsigned b = 0; b < 256; ++b) {
    v.byte_ids[b] = index.find(v.pieces, byte_piece(b));
    if (v.byte_ids[b] == string_index::none) {
      fail(status::data, file, ": the vocabulary has no byte token ", byte_piece(b), ", expected all 256");
    }
  }
}

// Adds the merge of two tokens, given as their text; all three tokens must be in the index. `buffer` is
// scratch.
inline void add_merge(bpe_vocabulary& v, std::string_view left, std::string_view right, std::string& buffer,
                      std::string_view file) {
  const auto known = [&](std::string_view text) {
    const std::int32_t id = v.index.find(v.pieces, text);
    if (id == string_index::none) {
      fail(status::data, file, ": merge ", v.merges.size(), " needs the token ", printable(text),
           ", which the vocabulary does not have");
    }
    return id;
  };
  const std::int32_t l = known(left), r = known(right);
  buffer.assign(left);
  buffer += right;
  v.merges.push_back({l, r, known(buffer)});
}

// Ranks from SentencePiece scores (V): the highest score is rank 0, equal scores have equal ranks.
inline void rank_by_score(bpe_vocabulary& v, std::span<const float> scores, std::string_view file) {
  if (scores.size() != v.pieces.size()) {
    fail(status::data, file, ": ", scores.size(), " scores for ", v.pieces.size(), " tokens");
  }
  for (std::size_t i = 0; i < scores.size(); ++i) {
    if (std::isnan(scores[i])) fail(status::data, file, ": the score of token ", i, " is not a number");
  }
  std::vector<std::uint32_t> order(scores.size());
  std::iota(order.begin(), order.end(), 0U);
  std::sort(order.begin(), order.end(), [&](auto a, auto b) { return scores[a] > scores[b]; });
  v.ranks.resize(scores.size());
  std::uint32_t rank = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    if (i > 0 && scores[order[i]] < scores[order[i - 1]]) ++rank;
    v.ranks[order[i]] = rank;
  }
}

}  // namespace depthlens
