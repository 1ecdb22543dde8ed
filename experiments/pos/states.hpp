// SPDX-License-Identifier: Apache-2.0
// How far each target of a record has come: what is run in the next round, which reading counts, or why there
// is none. It follows from the record and the answers alone.
#pragma once

#include "targets.hpp"

#include "depthlens/study/white_space.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace depthlens::pos {

// A prompt as it is run: the target's own, or the one that was retried with a blank.
struct attempt {
  std::string prompt;
  std::vector<std::int32_t> ids;
  std::vector<answer_form> forms;  // none where there is no answer, and as published
  std::string_view reason;         // empty = can be run
};

struct target_state {
  const target* what = nullptr;
  attempt tried = {};
  std::string_view reason = {};       // empty = kept, or not known yet
  std::uint32_t round = 0, read = 0;  // of `tried`
  bool ask = false;                   // is to be run in the coming round
};

class target_states {
 public:
  target_states(const dlens_run& run, const tokenizer_view& tokenizer)
      : run_(run), tokenizer_(tokenizer), is_blank_(run) {}

  // `targets` must outlive the result. rule(target) says what a top-1 of white space means.
  template <class Rule>
  std::vector<target_state> after(const std::vector<target>& targets, const tops_view& answers,
                                  const Rule& rule) const {
    std::vector<target_state> out;
    std::uint32_t reads[2] = {0, 0};
    for (const target& t : targets) {
      target_state& s = out.emplace_back(target_state{.what = &t, .tried = make(t, false)});
      if (!start(s, answers, reads[0])) continue;
      const white_space_rule r = rule(t);
      if (r == white_space_rule::keep || !is_blank_(answers.final_top(0, s.read))) continue;
      s.reason = reason::white_space;
      if (r == white_space_rule::drop || !can_retry(is_blank_, t.prompt)) continue;
      s.tried = make(t, true);
      s.round = 1;
      if (start(s, answers, reads[1]) && is_blank_(answers.final_top(1, s.read)))
        s.reason = reason::white_space;
    }
    return out;
  }

 private:
  attempt make(const target& t, bool retried) const {
    prompt_ids encoded = encode_prompt(run_, tokenizer_, retried ? t.prompt + ' ' : t.prompt);
    attempt out{retried ? t.prompt + ' ' : t.prompt, std::move(encoded.ids), {}, encoded.reason};
    if (is_published(run_) || !out.reason.empty() || !t.answer) return out;
    if (t.answer->empty()) {
      out.reason = reason::no_answer;
      return out;
    }
    // The source text has no blank where the retried prompt has one.
    out.forms = answer_forms(tokenizer_, out.prompt, out.ids, *t.answer, retried ? std::nullopt : t.source);
    if (out.forms.empty()) out.reason = reason::boundary;
    for (const answer_form& form : out.forms)
      if (!has_rows(run_, form.ids)) out.reason = reason::no_row;
    return out;
  }

  // Gives the attempt its place in its round; true where it has been answered.
  static bool start(target_state& s, const tops_view& answers, std::uint32_t& reads) {
    s.reason = s.tried.reason;
    if (!s.reason.empty()) return false;
    s.read = reads++;
    s.ask = answers.rounds() == s.round;
    return !s.ask;
  }

  const dlens_run& run_;
  tokenizer_view tokenizer_;
  white_space_test is_blank_;
};

}  // namespace depthlens::pos
