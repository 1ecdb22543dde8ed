// SPDX-License-Identifier: Apache-2.0
// What a mistyped word was probably meant to be, for messages.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace depthlens {

// Letters to add, drop, change or swap with their neighbour until one word is the other; case counts for
// nothing. Words longer than 64 bytes are cut: the table has that size squared.
inline std::size_t edit_distance(std::string_view a, std::string_view b) {
  constexpr std::size_t most = 64;
  a = a.substr(0, most);
  b = b.substr(0, most);
  const auto low = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  const std::size_t width = b.size() + 1;
  std::vector<std::size_t> d((a.size() + 1) * width);
  for (std::size_t i = 0; i <= a.size(); ++i) d[i * width] = i;
  for (std::size_t j = 0; j <= b.size(); ++j) d[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const bool same = low(a[i - 1]) == low(b[j - 1]);
      std::size_t best = std::min({d[(i - 1) * width + j] + 1, d[i * width + j - 1] + 1,
                                   d[(i - 1) * width + j - 1] + (same ? 0 : 1)});
      if (i > 1 && j > 1 && low(a[i - 1]) == low(b[j - 2]) && low(a[i - 2]) == low(b[j - 1]))
        best = std::min(best, d[(i - 2) * width + j - 2] + 1);
      d[i * width + j] = best;
    }
  }
  return d.back();
}

// The candidate that `word` begins, if there is one, else the one with the fewest letters off: at most a
// third of the word's, and at least one may be. "" where none is near.
inline std::string nearest(std::string_view word, const std::vector<std::string>& candidates) {
  if (word.empty()) return "";
  std::string best;
  std::size_t least = std::max<std::size_t>(1, word.size() / 3) + 1;
  std::size_t begun = 0;
  std::string whole;
  for (const std::string& c : candidates) {
    if (word.size() >= 3 && c.size() > word.size() && std::string_view(c).starts_with(word)) {
      ++begun;
      whole = c;
    }
    if (const std::size_t n = edit_distance(word, c); n < least) {
      least = n;
      best = c;
    }
  }
  return begun == 1 ? whole : best;
}

// "; did you mean X?" with `before` in front of the word, or nothing.
inline std::string suggestion(std::string_view word, const std::vector<std::string>& candidates,
                              std::string_view before = "") {
  const std::string found = nearest(word, candidates);
  if (found.empty()) return "";
  return "; did you mean " + std::string(before) + found + "?";
}

}  // namespace depthlens
