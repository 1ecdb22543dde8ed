// SPDX-License-Identifier: Apache-2.0
// The tokens of the page of `depthlens trace --html`, numbered from 0 in the order in which they are first
// met.
#pragma once

#include "depthlens/tokenizer/tokenizer.hpp"
#include "terminal/token_text.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace depthlens {

class page_tokens {
 public:
  // null: no token has an id. The tokenizer outlives it.
  explicit page_tokens(const tokenizer* t) : tokenizer_(t) {}

  std::size_t number(std::int32_t id) {
    const auto [at, added] = by_id_.emplace(id, ids_.size());
    if (added) add(id, tokenizer_->bytes(id));
    return at->second;
  }
  // Of one that a file has: the first that is read the same, so that a pin follows it in every prompt.
  std::size_t number(const std::string& bytes) {
    if (const auto at = by_bytes_.find(bytes); at != by_bytes_.end()) return at->second;
    add(-1, bytes);
    return ids_.size() - 1;
  }

  const std::vector<std::int32_t>& ids() const { return ids_; }  // -1 = not known
  const std::vector<std::string>& texts() const { return texts_; }

 private:
  void add(std::int32_t id, std::string_view bytes) {
    constexpr std::size_t longest = 64;  // characters that are shown
    by_bytes_.emplace(bytes, ids_.size());
    ids_.push_back(id);
    texts_.push_back(shortened_text(shown_token(bytes), longest));
  }

  const tokenizer* tokenizer_;
  std::unordered_map<std::int32_t, std::size_t> by_id_;
  std::unordered_map<std::string, std::size_t> by_bytes_;
  std::vector<std::int32_t> ids_;
  std::vector<std::string> texts_;
};

}  // namespace depthlens
