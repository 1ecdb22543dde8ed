// SPDX-License-Identifier: Apache-2.0
// For experiments that look at what comes next in running text, without an answer: which positions of a
// prompt are read, the white-space rule, and the readings of the prompts that are kept.
#pragma once

#include "depthlens/experiment.hpp"
#include "depthlens/study/said_prompts.hpp"
#include "depthlens/study/white_space.hpp"

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace depthlens {

inline dlens_option positions_option() {
  static constexpr const char* choices[] = {"last", "all", nullptr};
  return make_option({.id = "positions",
                      .type = DLENS_OPTION_CHOICE,
                      .fallback = "last",
                      .help = "Read the last position of a prompt, or all but position 0 and special tokens.",
                      .choices = choices});
}

// A position that counts, as one lens reads it.
struct next_token_read {
  std::uint64_t position;
  const dlens_reading* reading;
};

// A prompt as it was run, with what the model said behind it. `reason` is empty where it is kept; then there
// is at least one read.
struct next_token_result {
  std::string prompt;
  std::vector<std::int32_t> ids;
  std::string_view reason;
  std::vector<next_token_read> reads;
};

// Immutable; any thread.
class next_token_reads {
 public:
  // n_top: likeliest tokens of every layer that are wanted. Throws status::usage for --positions all with a
  // rule that changes the prompt's end.
  next_token_reads(const dlens_run& run, const option_values& options, std::uint32_t n_top = 0)
      : run_(run),
        n_top_(n_top),
        tokenizer_(run.tokenizer),
        is_blank_(run),
        said_(run),
        rule_(white_space_rule_of(options.at("whitespace"), run)),
        all_(options.at("positions") == "all") {
    if (said_.tokens() > 0 && rule_ == white_space_rule::retry)
      fail(status::usage, "--generate cannot go with --whitespace retry, which is about the end of a prompt");
    if (all_ && rule_ == white_space_rule::retry)
      fail(status::usage, "--positions all cannot go with ",
           is_published(run) ? "--seed-compat" : "--whitespace retry",
           ", which is about the end of a prompt");
  }

  void plan(const record_view& record, const tops_view& answers, const request_view& request) const {
    if (said_.tokens() > 0) return plan_text(record, answers, request);
    const prompt_state state = state_of(record, answers);
    if (state.stage != prompt_state::ask) return;
    const prompt_ids prompt = encode_prompt(run_, tokenizer_, state.prompt);
    if (prompt.reason.empty()) ask(prompt.ids, positions_of(prompt.ids), request);
  }

  next_token_result result(const record_view& record, const answers_view& answers) const {
    const prompt_state state = said_.tokens() > 0
                                   ? prompt_state{prompt_state::settled, 1, std::string(record.at("prompt"))}
                                   : state_of(record, answers);
    prompt_ids prompt = encode(state.prompt);
    next_token_result out{state.prompt, std::move(prompt.ids), prompt.reason, {}};
    if (state.stage == prompt_state::dropped) out.reason = reason::white_space;
    if (!out.reason.empty()) return out;
    std::vector<std::uint64_t> positions = positions_of(out.ids);
    if (said_.tokens() > 0) go_on(out, positions, answers);
    out.reason = reason::empty;  // until a position is found
    std::uint32_t read = 0;
    for (const std::uint64_t position : positions) {
      const dlens_reading& reading = answers.reading(state.round, read++);
      const bool dropped =
          (all_ || said_.tokens() > 0) && rule_ == white_space_rule::drop && is_blank_(reading.final_top);
      if (dropped && out.reads.empty()) out.reason = reason::white_space;
      if (!dropped) out.reads.push_back({position, &reading});
    }
    if (!out.reads.empty()) out.reason = {};
    return out;
  }

  // The ids of a prompt, with room for the text that the model says behind it.
  prompt_ids encode(std::string_view prompt) const {
    prompt_ids out = encode_prompt(run_, tokenizer_, prompt);
    if (out.ids.size() + said_.tokens() > run_.max_positions) out.reason = reason::too_long;
    return out;
  }

 private:
  // With all positions the rule is about each of them, not about the prompt.
  prompt_state state_of(const record_view& record, const tops_view& answers) const {
    return settle(all_ ? white_space_rule::keep : rule_, is_blank_, record.at("prompt"), answers);
  }

  // Round 0 asks for the text, round 1 reads it.
  void plan_text(const record_view& record, const tops_view& answers, const request_view& request) const {
    const prompt_ids prompt = encode(record.at("prompt"));
    if (!prompt.reason.empty() || answers.rounds() > 1) return;
    if (answers.rounds() == 0) return said_.ask(prompt.ids, request);
    next_token_result whole{.prompt = {}, .ids = prompt.ids, .reason = {}, .reads = {}};
    std::vector<std::uint64_t> positions = positions_of(prompt.ids);
    go_on(whole, positions, answers);
    ask(whole.ids, positions, request);
  }

  void ask(std::span<const std::int32_t> ids, std::span<const std::uint64_t> positions,
           const request_view& request) const {
    if (positions.empty()) return;
    const std::uint32_t sequence = request.add_sequence(ids);
    for (const std::uint64_t position : positions)
      request.add_read(sequence, position, std::array{-1}, n_top_);
  }

  // The prompt with what the model said, and where each token of that comes next.
  void go_on(next_token_result& prompt, std::vector<std::uint64_t>& positions, const tops_view& tops) const {
    const std::span<const std::int32_t> said = tops.generated(0, 0);
    for (std::size_t i = 0; i < said.size(); ++i) {
      if (positions.empty() || positions.back() < prompt.ids.size() - 1)
        positions.push_back(prompt.ids.size() - 1);
      prompt.prompt += tokenizer_.bytes(said[i]);
      prompt.ids.push_back(said[i]);
    }
  }

  std::vector<std::uint64_t> positions_of(const std::vector<std::int32_t>& ids) const {
    if (!all_) return {ids.size() - 1};
    std::vector<std::uint64_t> out;
    for (std::size_t p = 1; p < ids.size(); ++p)
      if (!tokenizer_.is_special(ids[p])) out.push_back(p);
    return out;
  }

  const dlens_run& run_;
  std::uint32_t n_top_;
  tokenizer_view tokenizer_;
  white_space_test is_blank_;
  said_prompts said_;
  white_space_rule rule_;
  bool all_;
};

}  // namespace depthlens
