// SPDX-License-Identifier: Apache-2.0
// One pass for a fact: the prompt followed by the ids of its answers (in each form they can take), read where
// each of their first tokens comes next. The model is told the right tokens, so every position is read in one
// context.
#pragma once

#include "depthlens/experiment.hpp"
#include "depthlens/study/continuation.hpp"
#include "depthlens/study/white_space.hpp"

#include <algorithm>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace depthlens::facts {

// An answer of a fact. kind: "true", or "new" for the counterfactual one.
struct fact_answer {
  std::string_view kind;
  std::string text;
  std::vector<answer_form> forms;  // the preferred one first
};

// The reads of one round. Read 0 is at the prompt's end.
class forced_reads {
 public:
  // Reads up to max_tokens tokens of every form of every answer.
  forced_reads(std::span<const std::int32_t> prompt, const std::vector<fact_answer>& answers,
               std::size_t max_tokens) {
    for (const fact_answer& answer : answers)
      for (const answer_form& form : answer.forms)
        add(prompt, form.ids, std::min(form.ids.size(), max_tokens));
  }

  std::size_t longest() const {
    std::size_t n = 0;
    for (const auto& ids : sequences_) n = std::max(n, ids.size());
    return n;
  }
  // The number of the read where the token `j` of an answer comes next.
  std::uint32_t number(std::span<const std::int32_t> answer, std::size_t j) const {
    return reads_.at({answer.begin(), answer.begin() + static_cast<std::ptrdiff_t>(j)}).number;
  }
  void request(const request_view& request) const {
    std::vector<std::uint32_t> sequences;
    for (const auto& ids : sequences_) sequences.push_back(request.add_sequence(ids));
    std::vector<const read*> in_order(reads_.size());
    for (const auto& [before, r] : reads_) in_order[r.number] = &r;
    for (const read* r : in_order) request.add_read(sequences[r->sequence], r->position, r->targets);
  }

 private:
  struct read {
    std::size_t sequence = 0, position = 0;
    std::vector<std::int32_t> targets = {-1};
    std::uint32_t number = 0;
  };
  using ids = std::vector<std::int32_t>;

  void add(std::span<const std::int32_t> prompt, const ids& answer, std::size_t tokens) {
    ids sequence(prompt.begin(), prompt.end());
    sequence.insert(sequence.end(), answer.begin(), answer.begin() + static_cast<std::ptrdiff_t>(tokens - 1));
    const std::size_t place = sequences_.size();
    bool needed = false;
    for (std::size_t j = 0; j < tokens; ++j) {
      const auto [at, fresh] =
          reads_.try_emplace(ids(answer.begin(), answer.begin() + static_cast<std::ptrdiff_t>(j)));
      read& r = at->second;
      if (fresh)
        r.number = static_cast<std::uint32_t>(reads_.size() - 1), r.sequence = place,
        r.position = prompt.size() - 1 + j;
      needed |= fresh;
      if (std::find(r.targets.begin(), r.targets.end(), answer[j]) == r.targets.end())
        r.targets.push_back(answer[j]);
    }
    if (needed) sequences_.push_back(std::move(sequence));
  }

  std::vector<ids> sequences_;
  std::map<ids, read> reads_;  // by the answer's ids before the position
};

}  // namespace depthlens::facts
