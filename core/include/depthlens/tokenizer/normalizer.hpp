// SPDX-License-Identifier: Apache-2.0
// What happens to text before it is cut into words: Unicode composition (NFC, by utf8proc), blanks written as
// another character, and a character put in front. Each is one step; unknown ones are refused where the file
// is read.
#pragma once

#include "depthlens/base/error.hpp"
#include "depthlens/base/utf8.hpp"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace depthlens {

struct normalizer_step {
  enum class kind {
    nfc,            // Unicode normal form C
    replace,        // every `from` becomes `to`
    prepend,        // `to` is put in front
    prepend_once,   // `to` is put in front unless it is there
    prepend_first,  // as prepend_once, only at the start of the whole text
  };
  kind what;
  std::string from, to;
  bool operator==(const normalizer_step&) const = default;
};

// Where a piece of text stands: nothing is put in front of a piece that goes on right after a byte that is no
// UTF-8, because that byte is part of the text.
enum class piece_place { start, after_token, after_broken_byte };

namespace detail {

inline bool is_ascii(std::string_view text) noexcept {
  for (const char c : text) {
    if (static_cast<unsigned char>(c) >= 0x80) return false;
  }
  return true;
}

// Characters younger than Unicode 9 that a later NFC moves or composes. Hugging Face's tokenizers normalise
// by Unicode 9, where these are unassigned and stay as they are; so do ours, whichever Unicode utf8proc
// knows.
inline constexpr char32_t young_characters[][2] = {
    {0x05C8, 0x05C9},   {0x07FD, 0x07FD},   {0x0897, 0x089F},   {0x08CA, 0x08D3},   {0x09FE, 0x09FE},
    {0x0C3C, 0x0C3C},   {0x0D3B, 0x0D3C},   {0x0EBA, 0x0EBA},   {0x1715, 0x1715},   {0x1ABF, 0x1AF0},
    {0x1DF6, 0x1DFA},   {0xA82C, 0xA82C},   {0x105C9, 0x105C9}, {0x105D2, 0x105D2}, {0x105DA, 0x105DA},
    {0x105E4, 0x105E4}, {0x10D24, 0x10D27}, {0x10D69, 0x10D6D}, {0x10EAB, 0x10EAC}, {0x10ECB, 0x10ECF},
    {0x10EF0, 0x10EFB}, {0x10EFD, 0x10EFF}, {0x10F46, 0x10F50}, {0x10F82, 0x10F85}, {0x11070, 0x11070},
    {0x1133B, 0x1133B}, {0x11382, 0x11385}, {0x1138B, 0x1138B}, {0x1138E, 0x1138E}, {0x11390, 0x11391},
    {0x113B8, 0x113B8}, {0x113BB, 0x113BB}, {0x113C2, 0x113C2}, {0x113C5, 0x113C5}, {0x113C7, 0x113C9},
    {0x113CE, 0x113D0}, {0x1145E, 0x1145E}, {0x11839, 0x1183A}, {0x11930, 0x11930}, {0x11935, 0x11935},
    {0x11938, 0x11938}, {0x1193D, 0x1193E}, {0x11943, 0x11943}, {0x119E0, 0x119E0}, {0x11A34, 0x11A34},
    {0x11A47, 0x11A47}, {0x11A99, 0x11A99}, {0x11D42, 0x11D42}, {0x11D44, 0x11D45}, {0x11D97, 0x11D97},
    {0x11F41, 0x11F42}, {0x1611E, 0x16129}, {0x1612F, 0x1612F}, {0x16D63, 0x16D63}, {0x16D67, 0x16D6A},
    {0x16FF0, 0x16FF1}, {0x1D127, 0x1D128}, {0x1D250, 0x1D252}, {0x1D25B, 0x1D25C}, {0x1D25F, 0x1D25F},
    {0x1D280, 0x1D281}, {0x1E08F, 0x1E08F}, {0x1E130, 0x1E136}, {0x1E2AE, 0x1E2AE}, {0x1E2EC, 0x1E2EF},
    {0x1E4EC, 0x1E4EF}, {0x1E5EE, 0x1E5EF}, {0x1E6E3, 0x1E6E3}, {0x1E6E6, 0x1E6E6}, {0x1E6EE, 0x1E6EF},
    {0x1E6F5, 0x1E6F5}};

inline bool is_young(char32_t c) noexcept {
  const auto* range = std::lower_bound(std::begin(young_characters), std::end(young_characters), c,
                                       [](const char32_t(&r)[2], char32_t value) { return r[1] < value; });
  return range != std::end(young_characters) && c >= (*range)[0];
}

// Appends the canonical decomposition of `text` to `out`.
inline void decompose(std::vector<utf8proc_int32_t>& out, std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const utf8_character c = utf8_at(text, at);
    std::array<utf8proc_int32_t, 8> parts{};  // Unicode's longest has 4
    int bound_class = 0;
    const auto size = utf8proc_decompose_char(
        static_cast<utf8proc_int32_t>(c.value), parts.data(), static_cast<utf8proc_ssize_t>(parts.size()),
        static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_DECOMPOSE), &bound_class);
    if (size < 0) fail(status::data, "a text cannot be normalised: ", utf8proc_errmsg(size));
    out.insert(out.end(), parts.begin(), parts.begin() + size);
    at += c.size;
  }
}

// Puts each run of marks into the order of their combining classes. utf8proc swaps neighbours until they are
// in order, which is quadratic in the length of a run.
inline void order_marks(std::vector<utf8proc_int32_t>& text) {
  const auto mark_class = [](utf8proc_int32_t c) { return utf8proc_get_property(c)->combining_class; };
  const auto is_mark = [&](utf8proc_int32_t c) { return mark_class(c) != 0; };
  for (auto at = text.begin(); at != text.end();) {
    const auto first = std::find_if(at, text.end(), is_mark);
    at = std::find_if_not(first, text.end(), is_mark);
    if (at - first < 2) continue;
    std::stable_sort(first, at, [&](auto l, auto r) { return mark_class(l) < mark_class(r); });
  }
}

// Appends NFC of `text`, which has no young characters. n log n in the size of the text.
inline void append_composed(std::string& out, std::string_view text) {
  if (is_ascii(text)) {
    out += text;
    return;
  }
  if (text.size() > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max())) {
    fail(status::data, "a text of ", text.size(), " bytes is too long to normalise");
  }
  std::vector<utf8proc_int32_t> characters;
  decompose(characters, text);
  order_marks(characters);
  const auto count = static_cast<utf8proc_ssize_t>(characters.size());
  characters.push_back(0);  // utf8proc writes UTF-8 in place and ends it by a zero
  const auto size = utf8proc_reencode(characters.data(), count,
                                      static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
  if (size < 0) fail(status::data, "a text cannot be normalised: ", utf8proc_errmsg(size));
  out.append(reinterpret_cast<const char*>(characters.data()), static_cast<std::size_t>(size));
}

inline void compose(std::string& text) {
  if (is_ascii(text)) return;
  std::string out;
  out.reserve(text.size());
  std::size_t done = 0;
  for (std::size_t at = 0; at < text.size();) {
    const utf8_character c = utf8_at(text, at);
    if (is_young(c.value)) {
      append_composed(out, std::string_view(text).substr(done, at - done));
      out.append(text, at, c.size);
      done = at + c.size;
    }
    at += c.size;
  }
  append_composed(out, std::string_view(text).substr(done));
  text = std::move(out);
}

inline void replace_all(std::string& text, const std::string& from, const std::string& to) {
  std::string out;
  std::size_t done = 0;
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, done)) {
    out.append(text, done, at - done);
    out += to;
    done = at + from.size();
  }
  if (done == 0) return;
  out.append(text, done);
  text = std::move(out);
}

}  // namespace detail

// Applies the steps in order to `text` (valid UTF-8, in place). `from` of a replace step is not empty.
inline void normalize(std::span<const normalizer_step> steps, piece_place place, std::string& text) {
  using kind = normalizer_step::kind;
  for (const normalizer_step& step : steps) {
    switch (step.what) {
      case kind::nfc:
        detail::compose(text);
        break;
      case kind::replace:
        detail::replace_all(text, step.from, step.to);
        break;
      case kind::prepend_first:
        if (place != piece_place::start) break;
        [[fallthrough]];
      case kind::prepend_once:
        if (text.starts_with(step.to)) break;
        [[fallthrough]];
      case kind::prepend:
        if (!text.empty() && place != piece_place::after_broken_byte) text.insert(0, step.to);
        break;
    }
  }
}

}  // namespace depthlens
