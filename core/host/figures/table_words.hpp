// SPDX-License-Identifier: Apache-2.0
// The fields of a table as numbers, and words numbered in the order in which they come.
#pragma once

#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace depthlens {

// The number in all of `text`; missing for "", "nan" and infinities; nothing where it is no number.
inline std::optional<double> parse_number(std::string_view text) {
  constexpr double missing = std::numeric_limits<double>::quiet_NaN();
  if (text.empty()) return missing;
  double value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  // Over- and underflow: such a value cannot be drawn, and is no reason to refuse the table.
  if (code == std::errc::result_out_of_range && end == text.data() + text.size()) return missing;
  if (code != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return std::isfinite(value) ? value : missing;
}

// A whole number from 0 to 1e15.
inline std::optional<std::uint64_t> parse_count(std::string_view text) {
  const std::optional<double> value = parse_number(text);
  if (!value || !(*value >= 0) || *value > 1e15 || std::floor(*value) != *value) return std::nullopt;
  return static_cast<std::uint64_t>(*value);
}

// Numbers words in the order in which they come.
class numbering {
 public:
  // The word's number, or nothing where it would be one too many.
  std::optional<std::size_t> number(const std::string& word, std::size_t limit) {
    const auto found = numbers_.find(word);
    if (found != numbers_.end()) return found->second;
    if (words_.size() == limit) return std::nullopt;
    numbers_.emplace(word, words_.size());
    words_.push_back(word);
    return words_.size() - 1;
  }
  const std::vector<std::string>& words() const noexcept { return words_; }

 private:
  std::map<std::string, std::size_t> numbers_;
  std::vector<std::string> words_;
};

}  // namespace depthlens
