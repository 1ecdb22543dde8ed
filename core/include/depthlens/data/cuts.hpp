// SPDX-License-Identifier: Apache-2.0
// Prompts cut from running text: from each long paragraph a few, each ending after a word drawn at random.
// The prompt is the source text itself up to the end of that word. The same file, seed and number of cuts
// give the same prompts on every platform; the cuts of a paragraph depend on its number in the file, not on
// other paragraphs.
#pragma once

#include <depthlens/data/paragraphs.hpp>
#include <depthlens/data/record_reader.hpp>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace depthlens {

// splitmix64: the state walks in steps of the golden ratio and is mixed into each number. A stream of numbers
// is named by (seed, stream), so that paragraph 7 draws the same numbers whatever was read before.
class cut_generator {
 public:
  cut_generator(std::uint64_t seed, std::uint64_t stream) noexcept : state_(mix(mix(seed + step) ^ stream)) {}

  std::uint64_t next() noexcept { return mix(state_ += step); }

  // A number in [0, n), n > 0, all equally likely: draws from the incomplete last round are drawn again.
  std::uint64_t below(std::uint64_t n) noexcept {
    const std::uint64_t incomplete = (0 - n) % n;  // 2^64 mod n
    std::uint64_t drawn = next();
    while (drawn < incomplete) drawn = next();
    return drawn % n;
  }

 private:
  static constexpr std::uint64_t step = 0x9E3779B97F4A7C15ULL;
  static std::uint64_t mix(std::uint64_t z) noexcept {
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
    return z ^ (z >> 31);
  }

  std::uint64_t state_;
};

// `k` distinct numbers of [0, n), ascending; all of them where k >= n. Every set is equally likely (Floyd).
inline std::vector<std::uint64_t> draw_distinct(cut_generator& generator, std::uint64_t n, std::uint64_t k) {
  std::vector<std::uint64_t> drawn;  // sorted
  for (std::uint64_t i = n - std::min(n, k); i < n; ++i) {
    std::uint64_t number = k >= n ? i : generator.below(i + 1);
    auto place = std::lower_bound(drawn.begin(), drawn.end(), number);
    if (place != drawn.end() && *place == number)
      place = drawn.end(), number = i;  // i is above all drawn so far
    drawn.insert(place, number);
  }
  return drawn;
}

struct cut_options {
  unsigned cuts = 4;  // prompts per paragraph
  std::uint64_t seed = 42;
  std::uint64_t min_paragraph = 200;  // paragraphs of so many characters or fewer are skipped
};

// A prompt has at least so many characters (the reference's minimum).
inline constexpr std::size_t min_cut_prompt = 17;

// The ends, in bytes, of the prompts of one stripped paragraph, ascending and distinct. A prompt ends after a
// word that is not the last and has at least min_cut_prompt characters; where there are fewer such places
// than cuts, each gives one prompt. `number` is the paragraph's running number in its file, from 0.
inline std::vector<std::size_t> cut_points(std::string_view paragraph, std::uint64_t number,
                                           const cut_options& options) {
  if (utf8_count(paragraph) <= options.min_paragraph) return {};
  std::vector<word_range> words = utf8_words(paragraph);
  if (words.size() < 2) return {};
  words.pop_back();
  const auto first = std::find_if(words.begin(), words.end(), [&](const word_range& word) {
    return utf8_count(paragraph.substr(0, word.end)) >= min_cut_prompt;
  });
  cut_generator generator(options.seed, number);
  std::vector<std::size_t> ends;
  for (const std::uint64_t i :
       draw_distinct(generator, static_cast<std::uint64_t>(words.end() - first), options.cuts))
    ends.push_back(first[static_cast<std::ptrdiff_t>(i)].end);
  return ends;
}

// Records of kind "cut": "prompt", and "text" = the whole paragraph. There is no answer. A paragraph that
// gives no prompt is left out, with all of it as "prompt": it is a "short paragraph", or has "no place to
// cut".
class cut_reader final : public record_reader {
 public:
  cut_reader(std::unique_ptr<paragraph_source> paragraphs, const cut_options& options)
      : paragraphs_(std::move(paragraphs)), options_(options) {}

  bool next(record& out) override {
    if (cut_ == ends_.size()) {
      if (!paragraphs_->next(paragraph_)) return false;
      ends_ = cut_points(paragraph_, number_++, options_);
      cut_ = 0;
    }
    out = {.index = index_++, .kind = "cut"};
    if (ends_.empty())
      out.left_out = utf8_count(paragraph_) <= options_.min_paragraph ? "short paragraph" : "no place to cut";
    out.fields.emplace_back("prompt", ends_.empty() ? paragraph_ : paragraph_.substr(0, ends_[cut_++]));
    out.fields.emplace_back("text", paragraph_);
    return true;
  }

 private:
  std::unique_ptr<paragraph_source> paragraphs_;
  cut_options options_;
  std::string paragraph_;
  std::vector<std::size_t> ends_;
  std::size_t cut_ = 0;  // of ends_, the next
  std::uint64_t number_ = 0, index_ = 0;
};

}  // namespace depthlens
