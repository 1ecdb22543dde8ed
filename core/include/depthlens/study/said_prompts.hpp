// SPDX-License-Identifier: Apache-2.0
// With --generate an answer is looked for where the model says it: the prompt goes on by what the model says
// before the answer, and is read there. Follows from the prompt and the model's text alone.
#pragma once

#include "depthlens/base/text.hpp"
#include "depthlens/base/utf8.hpp"
#include "depthlens/data/scripts.hpp"
#include "depthlens/experiment.hpp"
#include "depthlens/study/continuation.hpp"
#include "depthlens/study/white_space.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace depthlens {

namespace reason {
inline constexpr std::string_view not_said = "not said";
}  // namespace reason

namespace detail {

// A letter or digit, of any script; not the punctuation, marks and blanks of the blocks that have them.
inline bool is_word_character(char32_t c) {
  if (c < 0x80) return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
  const bool latin_signs = c < 0xc0 && c != 0xaa && c != 0xb5 && c != 0xba;
  const bool signs = (c >= 0x2000 && c < 0x2c00) || (c >= 0x2e00 && c < 0x2e80);
  const bool wide_signs = (c >= 0x3000 && c < 0x3005) || (c >= 0x3008 && c < 0x3021) ||
                          (c >= 0xff00 && c < 0xff10) || (c >= 0xff1a && c < 0xff21);
  return !latin_signs && !signs && !wide_signs && c != 0xd7 && c != 0xf7;
}

// Does `answer`, which stands at `at`, stand there as a word of its own? `before`: what comes before the
// text. Scripts without blanks have no words.
inline bool is_whole_word(std::string_view before, std::string_view text, std::size_t at,
                          std::string_view answer) {
  if (is_unspaced_script(utf8_at(answer, 0).value)) return true;
  const std::string_view left = at > 0 ? text.substr(0, at) : before, right = text.substr(at + answer.size());
  const auto joins = [](char32_t a, char32_t b) { return is_word_character(a) && is_word_character(b); };
  return (left.empty() || !joins(utf8_last(left).value, utf8_at(answer, 0).value)) &&
         (right.empty() || !joins(utf8_last(answer).value, utf8_at(right, 0).value));
}

}  // namespace detail

// How many tokens of what is said behind a prompt come before the first place where one of the answers stands
// in it as a word, at the beginning of a token but for white space; nothing where none does.
inline std::optional<std::size_t> tokens_before_answer(const tokenizer_view& tokenizer,
                                                       std::string_view prompt,
                                                       std::span<const std::int32_t> said,
                                                       std::span<const std::string> answers) {
  std::string text;
  std::vector<std::size_t> begins;  // of each token in the text
  for (const std::int32_t id : said) {
    begins.push_back(text.size());
    text += tokenizer.bytes(id);
  }
  std::optional<std::size_t> first;
  for (const std::string& answer : answers) {
    const std::string_view bare = without_white_space_in_front(answer);
    if (bare.empty()) continue;
    for (std::size_t at = text.find(bare); at != std::string::npos; at = text.find(bare, at + 1)) {
      if (!detail::is_whole_word(prompt, text, at, bare)) continue;
      const auto token = std::upper_bound(begins.begin(), begins.end(), at) - begins.begin() - 1;
      const std::size_t begin = begins[static_cast<std::size_t>(token)];
      if (!is_white_space(std::string_view(text).substr(begin, at - begin)) && at > begin) continue;
      first =
          std::min(first.value_or(std::numeric_limits<std::size_t>::max()), static_cast<std::size_t>(token));
      break;
    }
  }
  return first;
}

// A prompt up to where it is read. `reason` is empty where it can be.
struct said_prompt {
  bool asks = false;  // for the model's text, which is not there yet
  std::string text;
  std::string_view reason = {};
};

// Immutable; any thread.
class said_prompts {
 public:
  explicit said_prompts(const dlens_run& run)
      : run_(run), tokenizer_(run.tokenizer), tokens_(generated_tokens(run)) {}

  // Rounds that it takes before others: 1 where the run generates, else 0.
  std::uint32_t rounds() const { return tokens_ > 0 ? 1 : 0; }
  std::uint32_t tokens() const { return tokens_; }

  // Of a table of prompts: what the model said, null where it was not asked.
  static column said_column() {
    return {"said", DLENS_TEXT, "all that the model said behind the prompt; its end token included"};
  }
  std::optional<std::string> said(const tops_view& tops) const {
    if (tokens_ == 0 || tops.rounds() == 0) return std::nullopt;
    std::string out;
    for (const std::int32_t id : tops.generated(0, 0)) out += tokenizer_.bytes(id);
    return visible(out);
  }

  // Asks for the text behind the prompt, in round 0.
  void ask(std::span<const std::int32_t> prompt, const request_view& request) const {
    request.add_generation(prompt, tokens_);
  }
  // The prompt where one of the answers comes next. ids: of the prompt. Without --generate it is the prompt.
  said_prompt find(std::string_view prompt, std::span<const std::int32_t> ids,
                   std::span<const std::string> answers, const tops_view& tops) const {
    said_prompt out{.text = std::string(prompt)};
    if (tokens_ == 0) return out;
    if (ids.size() + tokens_ > run_.max_positions) out.reason = reason::too_long;
    out.asks = tops.rounds() == 0;
    if (out.asks || !out.reason.empty()) return out;
    const std::span<const std::int32_t> said = tops.generated(0, 0);
    const std::optional<std::size_t> before = tokens_before_answer(tokenizer_, prompt, said, answers);
    if (!before) {
      out.reason = reason::not_said;
      return out;
    }
    std::vector<std::int32_t> whole(ids.begin(), ids.end());
    for (const std::int32_t id : said.first(*before)) {
      out.text += tokenizer_.bytes(id);
      whole.push_back(id);
    }
    // What is read has the tokens that were said.
    if (tokenizer_.encode_prompt(out.text) != whole) out.reason = reason::boundary;
    return out;
  }

 private:
  const dlens_run& run_;
  tokenizer_view tokenizer_;
  std::uint32_t tokens_;
};

}  // namespace depthlens
