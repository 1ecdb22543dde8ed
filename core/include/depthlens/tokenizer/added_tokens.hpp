// SPDX-License-Identifier: Apache-2.0
// Tokens that are found in the text as they stand, before anything else is done to it: special tokens, and
// others that were added to a vocabulary by hand. The leftmost match is taken, and the longest of those.
#pragma once

#include "depthlens/base/utf8.hpp"
#include "depthlens/tokenizer/pattern.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace depthlens {

struct added_token {
  std::int32_t id = 0;
  std::string content = {};  // not empty
  bool special = false;      // plain text where special tokens are not wanted
  bool single_word = false;  // only where no word character stands beside it
  bool lstrip = false;       // takes the white space before it
  bool rstrip = false;       // takes the white space after it
  bool normalized = false;   // is looked for in the normalised text
  bool operator==(const added_token&) const = default;
};

namespace detail {

// Unicode's White_Space.
inline bool is_unicode_white(char32_t c) noexcept { return is_split_character(c) && (c < 0x1C || c > 0x1F); }

// Letters, marks, digits, connectors, joiners and the letters in circles and squares.
inline bool is_word_character(std::string_view character) {
  static const pattern word(split_patterns::for_pcre2(
      R"([\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}\x{200C}\x{200D}\x{24B6}-\x{24E9}\x{1F130}-\x{1F149})"
      R"(\x{1F150}-\x{1F169}\x{1F170}-\x{1F189}])"));
  pattern_match match{};
  return word.find(character, 0, match);
}

// The character that ends at byte `end` > 0.
inline utf8_character utf8_before(std::string_view text, std::size_t end) noexcept {
  std::size_t at = end - 1;
  while (at > 0 && end - at < 4 && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) --at;
  const utf8_character c = utf8_at(text, at);
  return c.valid && at + c.size == end ? c : utf8_character{0xFFFD, 1, false};
}

}  // namespace detail

// Finds added tokens in text. Immutable once filled; const members may be called from several threads.
class added_token_finder {
 public:
  added_token_finder() { roots_.fill(-1); }

  // Looks for `text` (not empty; the content, or what the normaliser makes of it) as a sign of `token`.
  void add(const added_token& token, std::string_view text) {
    std::int32_t* link = &roots_[static_cast<unsigned char>(text[0])];
    std::int32_t at = -1;
    for (std::size_t i = 0; i < text.size(); ++i) {
      while (*link >= 0 && nodes_[*link].byte != text[i]) link = &nodes_[*link].sibling;
      if (*link < 0) {
        *link = static_cast<std::int32_t>(nodes_.size());
        nodes_.push_back({text[i]});
        at = static_cast<std::int32_t>(nodes_.size()) - 1;
      } else {
        at = *link;
      }
      link = &nodes_[at].child;
    }
    if (nodes_[at].token >= 0) return;
    nodes_[at].token = static_cast<std::int32_t>(tokens_.size());
    tokens_.push_back(token);
  }

  bool empty() const noexcept { return tokens_.empty(); }

  // Calls on_text(part, offset) and on_token(token, end offset) for the parts of `text` in order. With
  // `skip_special`, special tokens are part of the text.
  template <class OnText, class OnToken>
  void split(std::string_view text, bool skip_special, OnText&& on_text, OnToken&& on_token) const {
    std::size_t done = 0, white_end = 0;
    for (std::size_t at = 0; !empty() && at < text.size();) {
      std::size_t size = 0;
      const added_token* token = longest(text, at, size);
      if (token == nullptr) {
        ++at;
        continue;
      }
      std::size_t begin = at, end = at + size;
      at = end;
      if ((skip_special && token->special) || (token->single_word && touches_word(text, begin, end)))
        continue;
      if (token->lstrip) begin = white_before(text, begin, done);
      // A token among the white space that the one before takes is a token all the same. Such white space is
      // looked at once: doing so again for each token would be quadratic.
      if (token->rstrip) end = white_end = end < white_end ? white_end : white_after(text, end);
      if (done < begin) on_text(text.substr(done, begin - done), done);
      on_token(*token, end);
      done = end;
    }
    if (done < text.size()) on_text(text.substr(done), done);
  }

 private:
  struct node {
    char byte;
    std::int32_t child = -1, sibling = -1, token = -1;
  };

  const added_token* longest(std::string_view text, std::size_t at, std::size_t& size) const {
    const added_token* best = nullptr;
    std::int32_t link = roots_[static_cast<unsigned char>(text[at])];
    for (std::size_t i = at; i < text.size(); ++i) {
      while (link >= 0 && nodes_[link].byte != text[i]) link = nodes_[link].sibling;
      if (link < 0) break;
      if (nodes_[link].token >= 0) {
        best = &tokens_[nodes_[link].token];
        size = i + 1 - at;
      }
      link = nodes_[link].child;
    }
    return best;
  }

  static bool touches_word(std::string_view text, std::size_t begin, std::size_t end) {
    if (begin > 0) {
      const utf8_character c = detail::utf8_before(text, begin);
      if (c.valid && detail::is_word_character(text.substr(begin - c.size, c.size))) return true;
    }
    if (end == text.size()) return false;
    const utf8_character c = utf8_at(text, end);
    return c.valid && detail::is_word_character(text.substr(end, c.size));
  }

  // Not before `from`: looking at the same blanks again for each token would be quadratic.
  static std::size_t white_before(std::string_view text, std::size_t at, std::size_t from) {
    while (at > from) {
      const utf8_character c = detail::utf8_before(text, at);
      if (!c.valid || !detail::is_unicode_white(c.value)) break;
      at -= c.size;
    }
    return std::max(at, from);
  }

  static std::size_t white_after(std::string_view text, std::size_t at) {
    while (at < text.size()) {
      const utf8_character c = utf8_at(text, at);
      if (!c.valid || !detail::is_unicode_white(c.value)) break;
      at += c.size;
    }
    return at;
  }

  std::array<std::int32_t, 256> roots_{};
  std::vector<node> nodes_;
  std::vector<added_token> tokens_;
};

}  // namespace depthlens
