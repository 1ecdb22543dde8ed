// SPDX-License-Identifier: Apache-2.0
// Prompts that are read where they end: their ids or why they cannot be run, and what becomes of those whose
// final top-1 is only white space (keep, retry once with a blank appended, drop). All of it follows from the
// answers so far, so plan and consume find the same state on any thread.
#pragma once

#include "depthlens/base/text.hpp"
#include "depthlens/base/utf8.hpp"
#include "depthlens/experiment.hpp"
#include "depthlens/study/published.hpp"

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace depthlens {

// Words for the column `reason` and the counts of a run.
namespace reason {
inline constexpr std::string_view white_space = "white space", wrong = "wrong", boundary = "boundary",
                                  too_long = "too long", duplicate = "duplicate", no_answer = "no answer",
                                  empty = "empty", no_row = "no embedding row";
}  // namespace reason

enum class white_space_rule { keep, retry, drop };

inline dlens_option whitespace_option(const char* fallback) {
  static constexpr const char* choices[] = {"keep", "retry", "drop", nullptr};
  return make_option(
      {.id = "whitespace",
       .type = DLENS_OPTION_CHOICE,
       .fallback = fallback,
       .help = "A final top-1 of white space counts, is asked again after a blank, or is left out.",
       .choices = choices});
}

// From the option "whitespace": keep, retry or drop; "auto" gives `automatic`. --seed-compat always retries.
inline white_space_rule white_space_rule_of(std::string_view option, const dlens_run& run,
                                            white_space_rule automatic = white_space_rule::drop) {
  if (is_published(run) || option == "retry") return white_space_rule::retry;
  if (option == "keep") return white_space_rule::keep;
  return option == "drop" ? white_space_rule::drop : automatic;
}

// Is a token only white space: by its bytes, or as published by the text it decodes to?
class white_space_test {
 public:
  explicit white_space_test(const dlens_run& run)
      : tokenizer_(run.tokenizer), decoder_(tokenizer_), published_(is_published(run)) {}
  bool published() const { return published_; }
  bool operator()(std::int32_t id) const {
    return published_ ? decoder_.is_white_space(id) : is_white_space(tokenizer_.bytes(id));
  }

 private:
  tokenizer_view tokenizer_;
  published_decoder decoder_;
  bool published_;
};

// A tokenizer may have more ids than the model has rows in its embedding.
inline bool has_rows(const dlens_run& run, std::span<const std::int32_t> ids) {
  return std::all_of(ids.begin(), ids.end(),
                     [&](std::int32_t id) { return static_cast<std::uint32_t>(id) < run.vocab_size; });
}

// The ids of a prompt. `reason` is empty where they can be run, else "empty", "too long" or
// "no embedding row".
struct prompt_ids {
  std::vector<std::int32_t> ids;
  std::string_view reason;
};
inline prompt_ids encode_prompt(const dlens_run& run, const tokenizer_view& tokenizer,
                                std::string_view prompt) {
  prompt_ids out{tokenizer.encode_prompt(prompt), {}};
  if (is_published(run) && out.ids.size() > published_max_ids) out.ids.resize(published_max_ids);
  if (out.ids.empty()) out.reason = reason::empty;
  if (out.ids.size() > run.max_positions) out.reason = reason::too_long;
  if (!has_rows(run, out.ids)) out.reason = reason::no_row;
  return out;
}

// A prompt that ends in a blank gets no second one, except by the published rule.
inline bool can_retry(const white_space_test& is_blank, std::string_view prompt) {
  return is_blank.published() || !ends_in_blank(prompt);
}

// Where a prompt stands after the answers so far.
//   ask:     run `prompt` in the next round (rounds before `round` are answered)
//   settled: `prompt` is the one that counts, round `round` read it
//   dropped: its final top-1 is white space
struct prompt_state {
  enum { ask, settled, dropped } stage;
  std::uint32_t round;
  std::string prompt;
};

// For a record that asks for its one prompt in round `first` and, if need be, again in the next one, with the
// prompt's last position as read number `read` of both.
inline prompt_state settle(white_space_rule rule, const white_space_test& is_blank, std::string_view prompt,
                           const tops_view& answers, std::uint32_t read = 0, std::uint32_t first = 0) {
  if (answers.rounds() <= first) return {prompt_state::ask, first, std::string(prompt)};
  if (rule == white_space_rule::keep || !is_blank(answers.final_top(first, read)))
    return {prompt_state::settled, first, std::string(prompt)};
  if (rule == white_space_rule::drop || !can_retry(is_blank, prompt))
    return {prompt_state::dropped, first, std::string(prompt)};
  std::string retried = std::string(prompt) + ' ';
  if (answers.rounds() == first + 1) return {prompt_state::ask, first + 1, std::move(retried)};
  const bool again = is_blank(answers.final_top(first + 1, read));
  return {again ? prompt_state::dropped : prompt_state::settled, first + 1, std::move(retried)};
}

}  // namespace depthlens
