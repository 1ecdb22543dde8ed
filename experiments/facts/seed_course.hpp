// SPDX-License-Identifier: Apache-2.0
// The published procedure for a fact: up to three tokens of the answer, one round each, where the text of the
// right token is appended to the prompt and all of it is encoded anew. Used by --seed-compat only.
#pragma once

#include "depthlens/experiment.hpp"
#include "depthlens/study/seed_names.hpp"
#include "depthlens/study/white_space.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace depthlens::facts {

struct seed_token {
  std::uint32_t round;  // the reading of this round has the right top-1
  std::int32_t number;  // of the token, from 0
  std::string prompt;   // as it was run
};

struct seed_course {
  std::string prompt;              // after the white-space rule
  std::vector<seed_token> right;   // so far
  std::optional<std::string> ask;  // to be run next
  bool dropped = false;            // its top-1 is white space
  std::size_t answer_len = 0;      // tokens of the answer with a leading blank
};

// Immutable; any thread.
class seed_procedure {
 public:
  explicit seed_procedure(const tokenizer_view& tokenizer)
      : tokenizer_(tokenizer),
        decoder_(tokenizer),
        is_blank_(tokenizer, true),
        skip_(tokenizer.prefix().size()) {}

  seed_course follow(std::string_view prompt, std::string_view answer, const answers_view& answers) const {
    const std::vector<std::int32_t> bare = seed_answer_ids(tokenizer_, answer);
    const std::vector<std::int32_t> blank = seed_answer_ids(tokenizer_, ' ' + std::string(answer));
    const prompt_state start = settle(white_space_rule::retry, is_blank_, prompt, answers);
    seed_course out{start.prompt, {}, {}, start.stage == prompt_state::dropped, blank.size()};
    if (start.stage == prompt_state::ask) out.ask = start.prompt;
    if (start.stage != prompt_state::settled) return out;

    std::string text = start.prompt;
    for (std::uint32_t j = 0; j < 3; ++j) {
      const std::uint32_t round = start.round + j;
      if (answers.rounds() <= round) {
        out.ask = text;
        return out;
      }
      const std::int32_t top = answers.reading(round, 0).final_top;
      const std::optional<std::int32_t> with_blank = nth(blank, j);
      const bool right = top == with_blank || top == nth(bare, j);
      if (right) out.right.push_back({round, static_cast<std::int32_t>(j), text});
      if (blank.size() == j + 1 || (!right && !with_blank)) break;
      // Llama-2's texts lose the blank in front when a token is decoded alone; the published code puts one
      // there.
      if (decoder_.drops_blank()) text += ' ';
      text += decoder_.text(right ? top : *with_blank);
    }
    return out;
  }

 private:
  // The published length test takes the special ids off twice for all tokens but the first.
  std::optional<std::int32_t> nth(const std::vector<std::int32_t>& ids, std::size_t j) const {
    if (j == 0 ? ids.empty() : ids.size() <= skip_ + j) return std::nullopt;
    return ids[j];
  }

  tokenizer_view tokenizer_;
  seed_decoder decoder_;
  white_space_test is_blank_;
  std::size_t skip_;
};

}  // namespace depthlens::facts
