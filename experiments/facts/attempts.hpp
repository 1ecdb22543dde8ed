// SPDX-License-Identifier: Apache-2.0
// How a fact is run: with its own prompt or the one retried with a blank, in which forms its answers can
// follow, what is read, or why it is not run. It follows from the record and the answers of the model alone.
#pragma once

#include "forced_reads.hpp"

#include "depthlens/experiment.hpp"
#include "depthlens/study/continuation.hpp"
#include "depthlens/study/said_prompts.hpp"
#include "depthlens/study/white_space.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace depthlens::facts {

struct attempt {
  prompt_state state;
  std::vector<std::int32_t> ids = {};
  std::vector<fact_answer> answers = {};  // the true one first
  std::optional<forced_reads> reads = {};
  bool asks_for_text = false;    // that the model says behind the prompt
  std::string_view reason = {};  // empty = can be run
};

// Immutable; any thread.
class attempts {
 public:
  // Of an answer up to `tokens` are read.
  attempts(const dlens_run& run, white_space_rule rule, std::size_t tokens)
      : run_(run), tokenizer_(run.tokenizer), is_blank_(run), said_(run), rule_(rule), tokens_(tokens) {}

  std::size_t tokens() const { return tokens_; }

  // `duplicate`: the fact is there before.
  attempt after(const record_view& record, const tops_view& answers, bool duplicate) const {
    const std::string_view prompt = record.at("prompt");
    prompt_ids encoded = encode_prompt(run_, tokenizer_, prompt);
    const std::optional<std::string_view> answer = record.find("answer");
    std::string_view why = !answer || answer->empty() ? reason::no_answer
                           : duplicate                ? reason::duplicate
                                                      : encoded.reason;
    said_prompt said{.text = std::string(prompt)};
    if (why.empty()) {
      said = said_.find(prompt, encoded.ids, std::array{std::string(*answer)}, answers);
      why = said.reason;
    }
    attempt out{.state = settle(rule_, is_blank_, said.text, answers, 0, said_.rounds()), .reason = why};
    out.asks_for_text = why.empty() && said.asks;
    if (out.state.prompt != prompt) encoded = encode_prompt(run_, tokenizer_, out.state.prompt);
    out.ids = std::move(encoded.ids);
    if (out.reason.empty()) out.reason = encoded.reason;
    if (out.reason.empty()) add_answers(out, record, *answer);
    if (!out.reason.empty() || out.asks_for_text) return out;
    out.reads.emplace(out.ids, out.answers, tokens_);
    if (out.reads->longest() > run_.max_positions) out.reason = reason::too_long;
    return out;
  }

  // What the model said, see said_prompts.
  std::optional<std::string> said(const tops_view& tops) const { return said_.said(tops); }

  // Asks for what comes next.
  void request(const attempt& a, const request_view& request) const {
    if (a.asks_for_text)
      said_.ask(a.ids, request);
    else
      a.reads->request(request);
  }

 private:
  void add_answers(attempt& to, const record_view& record, std::string_view answer) const {
    const auto add = [&](std::string_view kind, std::string_view text) {
      std::vector<answer_form> forms = forms_of(to, record, text, kind == "true");
      if (!forms.empty()) to.answers.push_back({kind, std::string(text), std::move(forms)});
    };
    add("true", answer);
    if (to.answers.empty()) {
      to.reason = reason::boundary;
      return;
    }
    if (const auto other = record.find("other"); other && !other->empty()) add("new", *other);
    for (const fact_answer& given : to.answers)
      for (const answer_form& form : given.forms)
        if (!has_rows(run_, form.ids)) to.reason = reason::no_row;
  }

  std::vector<answer_form> forms_of(const attempt& a, const record_view& record, std::string_view answer,
                                    bool is_true) const {
    std::optional<std::string_view> source;
    const std::optional<std::string_view> text = is_true ? record.find("text") : std::nullopt;
    if (text && !(source = source_continuation(*text, record.at("prompt"), answer)))
      fail(status::data, "row ", record.index(), ": \"text\" does not go on with the answer \"", answer,
           "\" after the prompt; give the text that the prompt was cut from, or none");
    // The source text has no blank where the retried prompt has one, and nothing that the model says.
    if (a.state.prompt != record.at("prompt")) source.reset();
    return answer_forms(tokenizer_, a.state.prompt, a.ids, answer, source);
  }

  const dlens_run& run_;
  tokenizer_view tokenizer_;
  white_space_test is_blank_;
  said_prompts said_;
  white_space_rule rule_;
  std::size_t tokens_;
};

}  // namespace depthlens::facts
