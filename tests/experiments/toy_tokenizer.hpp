// SPDX-License-Identifier: Apache-2.0
// A tokenizer for tests that needs no files: words are tokens, and its rules are plain enough to work out by
// hand.
#pragma once

#include "depthlens/abi/host.h"
#include "depthlens/base/abi_error.hpp"

#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace depthlens::test {

// Pieces: an optional blank, then letters up to the next capital, or one other character; blanks that are not
// taken are pieces of their own. "of PaRis" is "of", " Pa", "Ris". Ids are given in the order of first sight;
// 0 is <s>.
class toy_tokenizer {
 public:
  explicit toy_tokenizer(bool bos = false) : bos_(bos) {
    id("<s>");
    c_.size = sizeof c_;
    c_.vocabulary = 1000;
    c_.self = this;
    c_.encode = [](const dlens_tokenizer* t, dlens_text text, std::uint32_t mode, std::int32_t* ids,
                   std::uint64_t n, std::uint64_t* count, dlens_error*) -> dlens_status {
      const std::vector<std::int32_t> all = self(t).encode(to_view(text), mode == DLENS_ENCODE_PROMPT);
      std::copy_n(all.begin(), std::min<std::size_t>(all.size(), n), ids);
      *count = all.size();
      return DLENS_OK;
    };
    c_.bytes = [](const dlens_tokenizer* t, std::int32_t i) { return to_text(self(t).piece(i)); };
    c_.is_special = [](const dlens_tokenizer*, std::int32_t i) -> std::uint32_t { return i == 0; };
    c_.prefix = [](const dlens_tokenizer* t, std::int32_t* ids, std::uint64_t capacity, std::uint64_t* count,
                   dlens_error*) -> dlens_status {
      *count = self(t).bos_ ? 1 : 0;
      if (*count > 0 && capacity > 0) ids[0] = 0;
      return DLENS_OK;
    };
  }
  toy_tokenizer(const toy_tokenizer&) = delete;
  toy_tokenizer& operator=(const toy_tokenizer&) = delete;

  const dlens_tokenizer* c() const { return &c_; }
  std::int32_t id(std::string_view piece) {
    const auto [at, added] = ids_.emplace(piece, static_cast<std::int32_t>(pieces_.size()));
    if (added) pieces_.emplace_back(piece);
    return at->second;
  }
  std::string_view piece(std::int32_t i) const {
    return i >= 0 && static_cast<std::size_t>(i) < pieces_.size() ? std::string_view(pieces_[i])
                                                                  : std::string_view();
  }
  std::vector<std::int32_t> encode(std::string_view text, bool prompt) {
    std::vector<std::int32_t> out;
    if (prompt && bos_) out.push_back(0);
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t n = piece_size(text.substr(at));
      out.push_back(id(text.substr(at, n)));
      at += n;
    }
    return out;
  }
  std::string decode(const std::vector<std::int32_t>& ids) const {
    std::string out;
    for (const std::int32_t i : ids) out += piece(i);
    return out;
  }

 private:
  static toy_tokenizer& self(const dlens_tokenizer* t) {
    return *const_cast<toy_tokenizer*>(static_cast<const toy_tokenizer*>(t->self));
  }
  static bool letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
  static std::size_t piece_size(std::string_view text) {
    std::size_t n = text[0] == ' ' && text.size() > 1 && text[1] != ' ' ? 1 : 0;
    if (!letter(text[n])) return n + 1;
    for (++n; n < text.size() && letter(text[n]) && text[n] >= 'a';) ++n;
    return n;
  }

  dlens_tokenizer c_{};
  bool bos_;
  std::map<std::string, std::int32_t, std::less<>> ids_;
  std::deque<std::string> pieces_;  // a deque keeps the views that were given out
};

}  // namespace depthlens::test
