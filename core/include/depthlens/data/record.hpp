// SPDX-License-Identifier: Apache-2.0
// What every data reader gives: one input row as named text fields, and for tagged sentences the words of the
// text with their part of speech. What an experiment does with a record, and which ones it keeps, is its own.
#pragma once

#include <xxhash.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace depthlens {

// One syntactic word. A multiword token ("don't" = do + n't) gives all its words the bytes of the whole
// token, because the text shows only that; only the first of them can be read as the next word.
struct tagged_word {
  std::uint64_t begin = 0, end = 0;  // bytes [begin, end) of the record's "text"
  std::string tag;                   // one of the 17 universal POS tags, or "_" where the file gives none
  bool in_multiword_tail = false;    // true for every word of a multiword token but its first
};

struct record {
  std::uint64_t index = 0;  // running number of the record in its input, from 0
  std::string kind;         // "prompt" | "fact" | "sentence" | "cut"
  // Keys are distinct; keys and texts are valid UTF-8 without NUL. Which keys each kind has: data/reader.hpp.
  std::vector<std::pair<std::string, std::string>> fields = {};
  std::vector<tagged_word> words = {};
  // What a multiple choice row can be answered with, in its order; none = the row does not say. Where there
  // are some and the row has an "answer", that is one of them.
  std::vector<std::string> options = {};
  // Why the input makes no whole record; empty = it is whole. Then fields may be missing, and nothing can be
  // run. Such records are to be listed and counted, so that none vanishes.
  std::string left_out = {};

  // The value of a field, or null. The pointer lives as long as the record is unchanged.
  const std::string* find(std::string_view key) const noexcept {
    for (const auto& [name, value] : fields)
      if (name == key) return &value;
    return nullptr;
  }

  // XXH3 of everything but `index`, so that a row keeps its hash when rows are added or shuffled. The order
  // of the fields does not count, as in a JSON object. Same value on every platform.
  std::uint64_t content_hash() const;
};

namespace detail {

inline void append_number(std::string& out, std::uint64_t n) {
  for (int shift = 0; shift < 64; shift += 8) out.push_back(static_cast<char>((n >> shift) & 0xFF));
}

inline void append_counted(std::string& out, std::string_view text) {
  append_number(out, text.size());
  out += text;
}

}  // namespace detail

inline std::uint64_t record::content_hash() const {
  std::vector<const std::pair<std::string, std::string>*> sorted;
  for (const auto& field : fields) sorted.push_back(&field);
  std::sort(sorted.begin(), sorted.end(), [](const auto* a, const auto* b) { return *a < *b; });
  std::string bytes;
  detail::append_counted(bytes, kind);
  detail::append_number(bytes, sorted.size());
  for (const auto* field : sorted) {
    detail::append_counted(bytes, field->first);
    detail::append_counted(bytes, field->second);
  }
  detail::append_number(bytes, words.size());
  for (const tagged_word& word : words) {
    detail::append_number(bytes, word.begin);
    detail::append_number(bytes, word.end);
    detail::append_counted(bytes, word.tag);
    bytes.push_back(word.in_multiword_tail ? '\1' : '\0');
  }
  // What most records do not have adds nothing, so that their hashes stay what logs know.
  if (!options.empty()) {
    bytes += "options";
    detail::append_number(bytes, options.size());
    for (const std::string& option : options) detail::append_counted(bytes, option);
  }
  if (!left_out.empty()) {
    bytes += "left out";
    detail::append_counted(bytes, left_out);
  }
  return XXH3_64bits(bytes.data(), bytes.size());
}

}  // namespace depthlens
