// SPDX-License-Identifier: Apache-2.0
// The two data sets of a patching run: prompts whose states are taken, and prompts that get them.
#pragma once

#include "depthlens/data/cuts.hpp"
#include "depthlens/experiment.hpp"
#include "depthlens/study/continuation.hpp"
#include "depthlens/study/options.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace depthlens::patching {

enum class side { source, target };

inline std::string_view side_name(side s) { return s == side::source ? "source" : "target"; }

// A prompt of a side, and what it can be answered with: the options of its row, else the answers of the data
// set, where those are few; else nothing.
struct prompt_text {
  std::uint64_t id = 0;  // row number
  std::string text;
  std::vector<std::string> row_options = {};
};

class sides {
 public:
  static constexpr std::size_t most_answers = 64;  // of a data set, to be its options

  // Errors: status::usage unless there is a data set for both sides.
  explicit sides(const dlens_run& run) {
    for (const dlens_dataset* d : std::span(run.datasets, run.n_datasets))
      of_.push_back(std::string_view(d->set) == "source" ? side::source : side::target);
    for (const side wanted : {side::source, side::target})
      if (std::find(of_.begin(), of_.end(), wanted) == of_.end())
        fail(status::usage, "patching needs two data sets; --data patching.", side_name(wanted),
             "=FILE is missing");
  }

  side of(const record_view& record) const { return of_.at(record.dataset()); }

  void survey(const record_view& record) {
    found& f = found_[of(record)];
    f.lists = f.lists || !record.options().empty();
    if (const auto answer = record.find(DLENS_FIELD_ANSWER); answer && !answer->empty() && !f.many) {
      f.answers.try_emplace(std::string(without_white_space_in_front(*answer)), *answer);
      f.many = f.answers.size() > most_answers;
    }
    if (of(record) == side::source) sources_.push_back(prompt_of(record));
  }

  // Errors: status::data where no source is there.
  void complete() const {
    if (sources_.empty()) fail(status::data, "patching.source: the file has no prompts");
  }

  const std::vector<prompt_text>& sources() const { return sources_; }

  static prompt_text prompt_of(const record_view& record) {
    prompt_text out{.id = record.index(), .text = std::string(record.at(DLENS_FIELD_PROMPT))};
    for (const dlens_text& option : record.options()) out.row_options.emplace_back(to_view(option));
    return out;
  }

  // May a prompt of either side have options?
  bool have_options() const {
    for (const side s : {side::source, side::target})
      if (found_.contains(s) && (found_.at(s).lists || !options_of(s, {}).empty())) return true;
    return false;
  }

  // Texts of the options; none = any token is an answer.
  std::vector<std::string> options_of(side s, const prompt_text& prompt) const {
    if (!prompt.row_options.empty()) return prompt.row_options;
    std::vector<std::string> out;
    const auto at = found_.find(s);
    if (at == found_.end() || at->second.many || at->second.answers.size() < 2) return out;
    for (const auto& [key, text] : at->second.answers) out.push_back(text);
    return out;
  }

 private:
  struct found {
    std::map<std::string, std::string> answers;  // without white space in front -> as first written
    bool many = false, lists = false;            // more answers than options; rows that list theirs
  };
  std::vector<side> of_;  // by data set
  std::map<side, found> found_;
  std::vector<prompt_text> sources_;  // in the order of their file
};

// A prompt as it is given to the model, up to where its options differ, and the tokens of the options there.
struct asked_prompt {
  std::uint64_t id = 0;
  std::vector<std::int32_t> ids;      // at least one, where reason is empty
  std::vector<std::int32_t> options;  // may be none
  std::string_view reason = {};       // why it cannot be run; empty = it can

  std::uint64_t last() const { return ids.size() - 1; }
};

inline asked_prompt ask(const dlens_run& run, const tokenizer_view& tokenizer, const sides& all, side s,
                        const prompt_text& prompt) {
  asked_prompt out{.id = prompt.id, .ids = {}, .options = {}};
  const std::vector<std::string> texts = all.options_of(s, prompt);
  if (texts.empty()) {
    prompt_ids encoded = encode_prompt(run, tokenizer, prompt.text);
    out.ids = std::move(encoded.ids);
    out.reason = encoded.reason;
    return out;
  }
  const std::string where = cat("patching.", side_name(s), ": row ", prompt.id);
  prompt_options options = options_of_prompt(run, tokenizer, prompt.text, texts, option_score::first, where);
  out.ids = std::move(options.prompt);
  out.reason = options.reason;
  if (!out.reason.empty()) return out;
  out.ids.insert(out.ids.end(), options.ids[0].begin(),
                 options.ids[0].begin() + static_cast<std::ptrdiff_t>(options.shared));
  for (std::size_t o = 0; o < options.ids.size(); ++o) out.options.push_back(options.token(o));
  return out;
}

}  // namespace depthlens::patching
