// SPDX-License-Identifier: Apache-2.0
// Byte-pair encoding of one word: its units (bytes or characters) join pair by pair, always the pair of the
// lowest rank, the leftmost of equals, until none is left. A queue of candidates makes that n log n in the
// word's length. Cutting text into words is pretokenizer.hpp.
#pragma once

#include "depthlens/base/error.hpp"
#include "depthlens/base/utf8.hpp"
#include "depthlens/tokenizer/bpe_vocabulary.hpp"
#include "depthlens/tokenizer/hash_secret.hpp"

#include <xxhash.h>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>
#include <utility>
#include <vector>

namespace depthlens {

// The merges by their pair, in a flat open-addressing hash, in places that nobody can choose
// (hash_secret.hpp). At most 2/3 full.
class merge_table {
 public:
  struct entry {
    std::uint64_t pair = empty;
    std::uint32_t rank = 0;
    std::int32_t result = 0;
  };

  merge_table() = default;

  // Errors: data, if a pair has two merges (readers disagree about which one holds).
  merge_table(const std::vector<bpe_merge>& merges, std::string_view file) {
    if (merges.empty()) return;
    const std::size_t size = std::bit_ceil(merges.size() + merges.size() / 2 + 1);
    entries_.resize(size);
    shift_ = 64 - std::countr_zero(size);
    for (std::size_t i = 0; i < merges.size(); ++i) {
      entry& e = entries_[position(key(merges[i].left, merges[i].right))];
      if (e.pair != empty) fail(status::data, file, ": merges ", e.rank, " and ", i, " join the same pair");
      e = {key(merges[i].left, merges[i].right), static_cast<std::uint32_t>(i), merges[i].result};
    }
  }

  // nullptr if the pair does not join.
  const entry* find(std::int32_t left, std::int32_t right) const noexcept {
    if (entries_.empty()) return nullptr;
    const entry& e = entries_[position(key(left, right))];
    return e.pair == empty ? nullptr : &e;
  }

  // How many places are looked at to find each merge once.
  std::uint64_t places_looked_at() const noexcept {
    std::uint64_t all = 0;
    for (std::size_t at = 0; at < entries_.size(); ++at)
      if (entries_[at].pair != empty) all += ((at - home(entries_[at].pair)) & (entries_.size() - 1)) + 1;
    return all;
  }

 private:
  static constexpr std::uint64_t empty = ~std::uint64_t{0};

  static std::uint64_t key(std::int32_t left, std::int32_t right) noexcept {
    return (static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32) |
           static_cast<std::uint32_t>(right);
  }

  // All bits of the hash depend on all of the pair's: vocabularies have runs of neighbouring pairs, which a
  // single multiplication would keep together for some secrets.
  std::size_t home(std::uint64_t pair) const noexcept {
    return static_cast<std::size_t>(XXH3_64bits_withSeed(&pair, sizeof pair, secret_) >> shift_);
  }

  std::size_t position(std::uint64_t pair) const noexcept {
    const std::size_t mask = entries_.size() - 1;
    std::size_t at = home(pair);
    while (entries_[at].pair != pair && entries_[at].pair != empty) at = (at + 1) & mask;
    return at;
  }

  std::vector<entry> entries_;
  int shift_ = 0;
  std::uint64_t secret_ = process_hash_secret();
};

// A token of a word in the making: `size` bytes from byte `start`; size 0 = joined into another.
struct bpe_symbol {
  std::int32_t id;
  std::uint32_t start, size;
  std::int32_t previous, next;  // neighbours, -1 = none
};

// A pair that may join: the symbol at a position with the next, `size` bytes together. Positions never move
// and symbols only grow, so a pair at a position is still the one meant exactly if its size is.
struct bpe_candidate {
  std::uint64_t order;  // rank, then position: the smallest joins first
  std::uint32_t size;
  std::int32_t result;

  std::size_t at() const noexcept { return static_cast<std::uint32_t>(order); }
};

// The candidates of a word, smallest first. Most come in order, many at once: those are sorted and then read
// from front to back; only what turns up in between goes through a heap. Both are n log n, but a heap of a
// long word's candidates would miss the cache at each step.
class bpe_queue {
 public:
  // Starts anew with candidates in any order, put by `fill(vector)`.
  template <class Fill>
  void start(const Fill& fill) {
    sorted_.clear();
    heap_.clear();
    next_ = 0;
    fill(sorted_);
    std::sort(sorted_.begin(), sorted_.end(), before);
  }

  void push(const bpe_candidate& c) {
    heap_.push_back(c);
    std::push_heap(heap_.begin(), heap_.end(), after);
  }

  // False if there is none left.
  bool pop(bpe_candidate& out) {
    if (next_ == sorted_.size()) {
      if (heap_.empty()) return false;
      sorted_.swap(heap_);
      heap_.clear();
      next_ = 0;
      std::sort(sorted_.begin(), sorted_.end(), before);
    }
    if (heap_.empty() || before(sorted_[next_], heap_.front())) {
      out = sorted_[next_++];
    } else {
      std::pop_heap(heap_.begin(), heap_.end(), after);
      out = heap_.back();
      heap_.pop_back();
    }
    return true;
  }

 private:
  static bool before(const bpe_candidate& a, const bpe_candidate& b) noexcept { return a.order < b.order; }
  static bool after(const bpe_candidate& a, const bpe_candidate& b) noexcept { return a.order > b.order; }

  std::vector<bpe_candidate> sorted_, heap_;
  std::size_t next_ = 0;
};

// Memory to reuse from word to word; one per thread.
struct bpe_scratch {
  std::vector<bpe_symbol> symbols;
  bpe_queue queue;
};

// Joins scratch.symbols in place; symbol 0 is always alive. join(left, right, rank, result) says whether two
// neighbours join and how.
template <class Join>
void join_symbols(bpe_scratch& scratch, const Join& join) {
  auto& symbols = scratch.symbols;
  const auto consider = [&](std::size_t at, bpe_candidate& c) {
    const bpe_symbol& left = symbols[at];
    if (left.next < 0) return false;
    const bpe_symbol& right = symbols[left.next];
    std::uint32_t rank = 0;
    if (!join(left, right, rank, c.result)) return false;
    c.order = (std::uint64_t{rank} << 32) | at;
    c.size = left.size + right.size;
    return true;
  };
  scratch.queue.start([&](std::vector<bpe_candidate>& all) {
    bpe_candidate c{};
    for (std::size_t at = 0; at + 1 < symbols.size(); ++at) {
      if (consider(at, c)) all.push_back(c);
    }
  });
  for (bpe_candidate c{}; scratch.queue.pop(c);) {
    const std::size_t at = c.at();
    bpe_symbol& left = symbols[at];
    if (left.size == 0 || left.next < 0 || left.size + symbols[left.next].size != c.size) continue;
    bpe_symbol& right = symbols[left.next];
    left.id = c.result;
    left.size = c.size;
    left.next = right.next;
    right.size = 0;
    if (left.next >= 0) symbols[left.next].previous = static_cast<std::int32_t>(at);
    if (consider(at, c)) scratch.queue.push(c);
    if (left.previous >= 0 && consider(static_cast<std::size_t>(left.previous), c)) scratch.queue.push(c);
  }
}

// Immutable; const members may be called from several threads, each with a scratch of its own.
class bpe_model {
 public:
  bpe_model() = default;
  bpe_model(bpe_vocabulary vocabulary, std::string_view file)
      : vocabulary_(std::move(vocabulary)), merges_(vocabulary_.merges, file) {
    for (std::size_t i = 0; i < vocabulary_.pieces.size(); ++i) {
      longest_ = std::max(longest_, vocabulary_.pieces[i].size());
    }
  }

  const bpe_vocabulary& vocabulary() const noexcept { return vocabulary_; }

  // The token of one byte that stands alone, or -1.
  std::int32_t byte_token(unsigned char byte) const noexcept {
    const std::int32_t id = vocabulary_.byte_ids[byte];
    return id == string_index::none ? vocabulary_.unknown : id;
  }

  // Appends the ids of `word`: any bytes if the units are bytes, else valid UTF-8; less than 2 GiB.
  void encode(std::string_view word, std::vector<std::int32_t>& out, bpe_scratch& scratch) const {
    if (word.size() > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max())) {
      fail(status::data, "a word of ", word.size(), " bytes is too long to encode");
    }
    if (vocabulary_.whole_words && word.size() <= longest_) {
      const std::int32_t id = vocabulary_.index.find(vocabulary_.pieces, word);
      if (id != string_index::none) return out.push_back(id);
    }
    scratch.symbols.clear();
    vocabulary_.units == bpe_vocabulary::unit_kind::bytes ? start_bytes(word, scratch.symbols)
                                                          : start_characters(word, scratch.symbols);
    if (scratch.symbols.empty()) return;
    vocabulary_.ranks.empty() ? join_by_merges(scratch) : join_by_scores(word, scratch);
    collect(word, scratch.symbols, out);
  }

 private:
  static void append(std::vector<bpe_symbol>& symbols, std::int32_t id, std::size_t start, std::size_t size) {
    const auto at = static_cast<std::int32_t>(symbols.size());
    if (at > 0) symbols.back().next = at;
    symbols.push_back({id, static_cast<std::uint32_t>(start), static_cast<std::uint32_t>(size), at - 1, -1});
  }

  void start_bytes(std::string_view word, std::vector<bpe_symbol>& symbols) const {
    bool unknown_before = false;
    for (std::size_t i = 0; i < word.size(); ++i) {
      const std::int32_t id = vocabulary_.byte_ids[static_cast<unsigned char>(word[i])];
      const bool unknown = id == string_index::none;
      if (unknown && vocabulary_.unknown == string_index::none) continue;
      if (unknown && vocabulary_.fuse_unknown && unknown_before) {
        ++symbols.back().size;
      } else {
        append(symbols, unknown ? vocabulary_.unknown : id, i, 1);
      }
      unknown_before = unknown;
    }
  }

  void start_characters(std::string_view word, std::vector<bpe_symbol>& symbols) const {
    for (std::size_t at = 0; at < word.size();) {
      const std::size_t size = utf8_at(word, at).size;
      const std::int32_t id = vocabulary_.index.find(vocabulary_.pieces, word.substr(at, size));
      if (id != string_index::none || !vocabulary_.ranks.empty()) {
        append(symbols, id, at, size);  // by scores, a character without a token may still join into one
      } else {
        for (std::size_t i = at; i < at + size; ++i) {
          append(symbols, vocabulary_.byte_ids[static_cast<unsigned char>(word[i])], i, 1);
        }
      }
      at += size;
    }
  }

  void join_by_merges(bpe_scratch& scratch) const {
    join_symbols(scratch,
                 [this](const bpe_symbol& l, const bpe_symbol& r, std::uint32_t& rank, std::int32_t& id) {
                   const merge_table::entry* e = merges_.find(l.id, r.id);
                   if (e == nullptr) return false;
                   rank = e->rank;
                   id = e->result;
                   return true;
                 });
  }

  void join_by_scores(std::string_view word, bpe_scratch& scratch) const {
    join_symbols(scratch,
                 [&](const bpe_symbol& l, const bpe_symbol& r, std::uint32_t& rank, std::int32_t& id) {
                   const std::size_t size = l.size + r.size;
                   if (size > longest_) return false;
                   id = vocabulary_.index.find(vocabulary_.pieces, word.substr(l.start, size));
                   if (id == string_index::none) return false;
                   rank = vocabulary_.ranks[static_cast<std::size_t>(id)];
                   return true;
                 });
  }

  void collect(std::string_view word, const std::vector<bpe_symbol>& symbols,
               std::vector<std::int32_t>& out) const {
    for (std::int32_t at = 0; at >= 0; at = symbols[at].next) {
      const bpe_symbol& s = symbols[at];
      if (s.id != string_index::none) {
        out.push_back(s.id);
        continue;
      }
      for (const char byte : word.substr(s.start, s.size)) {
        out.push_back(vocabulary_.byte_ids[static_cast<unsigned char>(byte)]);
      }
    }
  }

  bpe_vocabulary vocabulary_;
  merge_table merges_;
  std::size_t longest_ = 0;
};

}  // namespace depthlens
