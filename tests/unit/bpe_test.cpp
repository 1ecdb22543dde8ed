// SPDX-License-Identifier: Apache-2.0
// Byte-pair encoding of single words: against a plain search for the best pair, at sizes where only n log n
// ends in time, and what a vocabulary must not contain.
#include "depthlens/tokenizer/bpe.hpp"

#include "support/model_bytes.hpp"

#include <boost/test/unit_test.hpp>

#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

using namespace depthlens;
using depthlens::test::fails_with;

namespace {

using ids = std::vector<std::int32_t>;

// Letters a..d and tokens of up to 9 letters, each joined from two that were there before.
struct random_vocabulary {
  std::vector<std::string> tokens{"a", "b", "c", "d"};
  std::vector<std::pair<std::string, std::string>> merges;

  random_vocabulary(std::mt19937& random, std::size_t count) {
    std::set<std::string> known(tokens.begin(), tokens.end());
    std::set<std::pair<std::string, std::string>> used;
    while (merges.size() < count) {
      const std::string& l = tokens[random() % tokens.size()];
      const std::string& r = tokens[random() % tokens.size()];
      if (l.size() + r.size() > 9 || !used.insert({l, r}).second) continue;
      merges.emplace_back(l, r);
      const std::string both = l + r;  // pushing below moves l and r
      if (known.insert(both).second) tokens.push_back(both);
    }
  }

  bpe_vocabulary build() const {
    bpe_vocabulary v;
    for (const std::string& t : tokens) v.pieces.push(t);
    index_pieces(v, std::vector<std::uint8_t>(tokens.size(), 1), "test");
    find_single_bytes(v, "test");
    std::string buffer;
    for (const auto& [l, r] : merges) add_merge(v, l, r, buffer, "test");
    return v;
  }
};

std::string random_word(std::mt19937& random, std::size_t longest) {
  std::string word(1 + random() % longest, 'a');
  for (char& c : word) c = static_cast<char>('a' + random() % 4);
  return word;
}

// Joins the leftmost pair of the lowest rank until none joins: rank_of(left, right) < 0 says that none does.
template <class RankOf>
std::vector<std::string> naive(const std::string& word, const RankOf& rank_of) {
  std::vector<std::string> parts;
  for (const char c : word) parts.emplace_back(1, c);
  for (;;) {
    long best = -1;
    std::size_t at = 0;
    for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
      const long rank = rank_of(parts[i], parts[i + 1]);
      if (rank >= 0 && (best < 0 || rank < best)) {
        best = rank;
        at = i;
      }
    }
    if (best < 0) return parts;
    parts[at] += parts[at + 1];
    parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(at) + 1);
  }
}

std::vector<std::string> texts(const bpe_model& model, const ids& tokens) {
  std::vector<std::string> out;
  for (const std::int32_t id : tokens) {
    out.emplace_back(model.vocabulary().pieces[static_cast<std::size_t>(id)]);
  }
  return out;
}

ids encode(const bpe_model& model, std::string_view word) {
  ids out;
  bpe_scratch scratch;
  model.encode(word, out, scratch);
  return out;
}

// One token per run of 2^k letters "a", k = 0..9.
bpe_model powers_of_two() {
  bpe_vocabulary v;
  for (std::size_t size = 1; size <= 512; size *= 2) v.pieces.push(std::string(size, 'a'));
  index_pieces(v, std::vector<std::uint8_t>(v.pieces.size(), 1), "test");
  find_single_bytes(v, "test");
  std::string buffer;
  for (std::size_t size = 1; size < 512; size *= 2) {
    add_merge(v, std::string(size, 'a'), std::string(size, 'a'), buffer, "test");
  }
  return bpe_model(std::move(v), "test");
}

}  // namespace

BOOST_AUTO_TEST_SUITE(bpe)

BOOST_AUTO_TEST_CASE(merges_join_the_same_pairs_as_a_plain_search_does) {
  std::mt19937 random(1);
  for (int round = 0; round < 20; ++round) {
    const random_vocabulary source(random, 5 + random() % 120);
    std::map<std::pair<std::string, std::string>, long> ranks;
    for (std::size_t i = 0; i < source.merges.size(); ++i) ranks[source.merges[i]] = static_cast<long>(i);
    const bpe_model model(source.build(), "test");
    for (int i = 0; i < 150; ++i) {
      const std::string word = random_word(random, 60);
      const auto expected = naive(word, [&](const std::string& l, const std::string& r) {
        const auto it = ranks.find({l, r});
        return it == ranks.end() ? -1L : it->second;
      });
      BOOST_TEST_REQUIRE(texts(model, encode(model, word)) == expected, boost::test_tools::per_element());
    }
  }
}

BOOST_AUTO_TEST_CASE(scores_join_the_same_pairs_as_a_plain_search_does) {
  std::mt19937 random(2);
  for (int round = 0; round < 20; ++round) {
    const random_vocabulary source(random, 5 + random() % 80);
    bpe_vocabulary v = source.build();
    v.merges.clear();
    v.units = bpe_vocabulary::unit_kind::characters;
    std::vector<float> scores(source.tokens.size());
    std::map<std::string, long> ranks;
    for (std::size_t i = 0; i < scores.size(); ++i) {
      scores[i] = -static_cast<float>(random() % 40);  // many are equal: the leftmost pair wins
      ranks[source.tokens[i]] = static_cast<long>(-scores[i]);
    }
    rank_by_score(v, scores, "test");
    const bpe_model model(std::move(v), "test");
    for (int i = 0; i < 150; ++i) {
      const std::string word = random_word(random, 60);
      const auto expected = naive(word, [&](const std::string& l, const std::string& r) {
        const auto it = ranks.find(l + r);
        return it == ranks.end() ? -1L : it->second;
      });
      BOOST_TEST_REQUIRE(texts(model, encode(model, word)) == expected, boost::test_tools::per_element());
    }
  }
}

BOOST_AUTO_TEST_CASE(a_word_of_a_mebibyte_is_encoded_in_n_log_n) {
  const bpe_model model = powers_of_two();
  // 0.1 s; a quadratic search would take hours.
  const ids tokens = encode(model, std::string((1U << 20) + 3, 'a'));
  BOOST_TEST(tokens.size() == 2048U + 2U);
  BOOST_TEST(tokens.front() == 9);
  BOOST_TEST((ids(tokens.end() - 2, tokens.end()) == ids{1, 0}));
}

BOOST_AUTO_TEST_CASE(equal_ranks_join_from_the_left) {
  const bpe_model model = powers_of_two();
  BOOST_TEST(encode(model, "aaa") == (ids{1, 0}), boost::test_tools::per_element());
  BOOST_TEST(encode(model, "aaaaaaa") == (ids{2, 1, 0}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_byte_without_a_token_is_left_out_or_becomes_the_unknown_token) {
  bpe_vocabulary v;
  for (const char* piece : {"a", "b", "ab", "?"}) v.pieces.push(piece);
  index_pieces(v, std::vector<std::uint8_t>(4, 1), "test");
  find_single_bytes(v, "test");
  std::string buffer;
  add_merge(v, "a", "b", buffer, "test");
  BOOST_TEST(encode(bpe_model(v, "test"), "axyb") == (ids{2}), boost::test_tools::per_element());
  v.unknown = 3;
  BOOST_TEST(encode(bpe_model(v, "test"), "axyb") == (ids{0, 3, 3, 1}), boost::test_tools::per_element());
  v.fuse_unknown = true;
  BOOST_TEST(encode(bpe_model(v, "test"), "axybz") == (ids{0, 3, 1, 3}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_word_that_is_a_token_is_taken_whole_only_if_the_vocabulary_says_so) {
  bpe_vocabulary v;
  for (const char* piece : {"a", "b", "c", "abc", "ab"}) v.pieces.push(piece);
  index_pieces(v, std::vector<std::uint8_t>(5, 1), "test");
  find_single_bytes(v, "test");
  std::string buffer;
  add_merge(v, "a", "b", buffer, "test");
  BOOST_TEST(encode(bpe_model(v, "test"), "abc") == (ids{4, 2}), boost::test_tools::per_element());
  v.whole_words = true;
  BOOST_TEST(encode(bpe_model(v, "test"), "abc") == (ids{3}), boost::test_tools::per_element());
  BOOST_TEST(encode(bpe_model(v, "test"), "abca") == (ids{4, 2, 0}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(an_empty_word_has_no_tokens) { BOOST_TEST(encode(powers_of_two(), "").empty()); }

// Pairs that one fixed multiplicative hash, (p ^ p >> 29) * golden ratio, puts on one place of any table of
// up to 2^24.
std::vector<bpe_merge> pairs_of_one_place(std::size_t n) {
  std::uint64_t inverse = 0x9E3779B97F4A7C15ULL;
  for (int i = 0; i < 5; ++i) inverse *= 2 - 0x9E3779B97F4A7C15ULL * inverse;
  std::vector<bpe_merge> out;
  for (std::uint64_t product = std::uint64_t{7} << 40; out.size() < n; ++product) {
    std::uint64_t pair = product * inverse;
    pair ^= pair >> 29 ^ pair >> 58;
    const auto left = static_cast<std::int32_t>(pair >> 32), right = static_cast<std::int32_t>(pair);
    if (left >= 0 && right >= 0) out.push_back({left, right, static_cast<std::int32_t>(out.size())});
  }
  return out;
}

BOOST_AUTO_TEST_CASE(no_choice_of_pairs_makes_a_table_of_merges_a_list) {
  constexpr std::size_t n = 1 << 20;  // on one place, to fill the table alone would take 2^39 steps
  std::vector<std::vector<bpe_merge>> chosen{pairs_of_one_place(n)};
  for (const int shift : {0, 8, 11}) {
    std::vector<bpe_merge>& grid = chosen.emplace_back();
    for (std::int32_t i = 0; i < static_cast<std::int32_t>(n); ++i)
      grid.push_back({(i & 1023) << shift, (i >> 10) << shift, i});
    std::vector<bpe_merge>& line = chosen.emplace_back();
    for (std::int32_t i = 0; i < static_cast<std::int32_t>(n); ++i) line.push_back({i << shift, 7, i});
  }
  for (const std::vector<bpe_merge>& merges : chosen) {
    const merge_table table(merges, "test");
    BOOST_TEST(table.places_looked_at() < 2 * n);
    for (std::size_t i = 0; i < n; i += 997) {
      const merge_table::entry* e = table.find(merges[i].left, merges[i].right);
      BOOST_TEST_REQUIRE(e != nullptr);
      BOOST_TEST_REQUIRE(e->rank == i);
      BOOST_TEST_REQUIRE(table.find(merges[i].left, -2) == nullptr);
    }
  }
}

// 2^bits texts of one hash under MurmurHash64A, whatever its seed: from each two blocks of 8 bytes to other
// two whose mixed values differ by the topmost bit, which the second takes back.
string_list texts_of_one_hash(std::size_t bits) {
  constexpr std::uint64_t m = 0xC6A4A7935BD1E995ULL;
  std::uint64_t inverse = m;
  for (int i = 0; i < 5; ++i) inverse *= 2 - m * inverse;
  const auto block_of = [&](std::uint64_t mixed) {
    const std::uint64_t k = mixed * inverse;
    return (k ^ k >> 47) * inverse;
  };
  string_list out;
  for (std::size_t i = 0; i < std::size_t{1} << bits; ++i) {
    std::string text;
    for (std::size_t pair = 0; pair < bits; ++pair)
      for (const std::uint64_t part : {2 * pair, 2 * pair + 1}) {
        const std::uint64_t block = block_of(part ^ (i >> pair & 1) << 63);
        text.append(reinterpret_cast<const char*>(&block), sizeof block);
      }
    out.push(text);
  }
  return out;
}

BOOST_AUTO_TEST_CASE(no_choice_of_texts_makes_an_index_of_strings_a_list) {
  const string_list list = texts_of_one_hash(14);
#ifdef __GLIBCXX__  // whose hash of texts this is
  BOOST_REQUIRE(std::hash<std::string_view>{}(list[0]) ==
                std::hash<std::string_view>{}(list[list.size() - 1]));
#endif
  string_index index;
  index.reserve(list.size());
  for (std::size_t i = 0; i < list.size(); ++i)
    BOOST_REQUIRE(index.add(list, static_cast<std::int32_t>(i)) == -1);
  BOOST_TEST(index.places_looked_at() < 2 * list.size());
  for (std::size_t i = 0; i < list.size(); i += 97)
    BOOST_TEST_REQUIRE(index.find(list, list[i]) == static_cast<std::int32_t>(i));
}

BOOST_AUTO_TEST_CASE(inconsistent_vocabularies_are_refused) {
  bpe_vocabulary v;
  for (const char* piece : {"a", "b", "a"}) v.pieces.push(piece);
  const std::vector<std::uint8_t> all(3, 1);
  BOOST_TEST(
      fails_with(status::data, "f: tokens 0 and 2 are the same: 'a'", [&] { index_pieces(v, all, "f"); }));
  index_pieces(v, std::vector<std::uint8_t>{1, 1, 0}, "f");
  std::string buffer;
  BOOST_TEST(fails_with(status::data, "f: merge 0 needs the token 'x'",
                        [&] { add_merge(v, "a", "x", buffer, "f"); }));
  BOOST_TEST(fails_with(status::data, "token 'ab'", [&] { add_merge(v, "a", "b", buffer, "f"); }));
  BOOST_TEST(fails_with(status::data, "2 scores for 3 tokens", [&] {
    rank_by_score(v, std::vector<float>{0, 1}, "f");
  }));
  const std::vector<float> bad{0, std::numeric_limits<float>::quiet_NaN(), 1};
  BOOST_TEST(
      fails_with(status::data, "score of token 1 is not a number", [&] { rank_by_score(v, bad, "f"); }));
  BOOST_TEST(fails_with(status::data, "merges 0 and 2 join the same pair", [] {
    const merge_table table({{0, 1, 2}, {1, 0, 3}, {0, 1, 4}}, "f");
  }));
  bpe_vocabulary words;
  words.pieces.push("word");
  index_pieces(words, std::vector<std::uint8_t>{1}, "f");
  BOOST_TEST(fails_with(status::data, "no token of a single byte", [&] { find_single_bytes(words, "f"); }));
  BOOST_TEST(
      fails_with(status::data, "no byte token <0x00>", [&] { find_byte_pieces(words, words.index, "f"); }));
}

BOOST_AUTO_TEST_SUITE_END()
