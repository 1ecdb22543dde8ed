// SPDX-License-Identifier: Apache-2.0
// Which records repeat an earlier one's pair of prompt and answer.
#pragma once

#include "depthlens/base/hash.hpp"
#include "depthlens/experiment.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

namespace depthlens::facts {

// Of a million facts the texts would take hundreds of megabytes: the survey keeps 32 bytes of each (half of
// its SHA-256, so that no data can make two facts alike on purpose), and after it the repeated alone are
// known. Written by one thread; then immutable.
class repeated_facts {
 public:
  // Records come in their order, data set by data set.
  void survey(const record_view& record, std::string_view prompt, std::string_view answer) {
    seen_.push_back({.pair = hash_of(prompt, answer), .at = {record.dataset(), record.index()}});
  }

  // Ends the survey.
  void complete() {
    std::sort(seen_.begin(), seen_.end());
    for (std::size_t i = 1; i < seen_.size(); ++i)
      if (seen_[i].pair == seen_[i - 1].pair) repeated_.push_back(seen_[i].at);
    std::sort(repeated_.begin(), repeated_.end());
    seen_ = {};
  }

  bool contains(const record_view& record) const {
    return std::binary_search(repeated_.begin(), repeated_.end(), place{record.dataset(), record.index()});
  }

 private:
  using pair_hash = std::array<std::uint64_t, 2>;
  struct place {
    std::uint32_t dataset;
    std::uint64_t index;
    auto operator<=>(const place&) const = default;
  };
  struct seen {
    pair_hash pair;
    place at;
    bool operator<(const seen& other) const { return std::tie(pair, at) < std::tie(other.pair, other.at); }
  };

  static pair_hash hash_of(std::string_view prompt, std::string_view answer) {
    const std::uint64_t length = prompt.size();  // so that no other cut of the same text is the same pair
    sha256_stream hash;
    hash.update(std::as_bytes(std::span(&length, 1)));
    hash.update(prompt);
    hash.update(answer);
    const std::string digits = hash.finish();
    pair_hash out{};
    for (std::size_t i = 0; i < out.size(); ++i)
      std::from_chars(digits.data() + 16 * i, digits.data() + 16 * (i + 1), out[i], 16);
    return out;
  }

  std::deque<seen> seen_;  // pieces of a fixed size: a vector that grows holds all of it twice for a while
  std::vector<place> repeated_;
};

}  // namespace depthlens::facts
