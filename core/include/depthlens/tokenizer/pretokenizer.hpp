// SPDX-License-Identifier: Apache-2.0
// Cuts text into the words that byte-pair encoding works on: a sequence of steps, each of which cuts what the
// one before left. The steps of the published tokenizers are here by the names that GGUF files give them.
#pragma once

#include "depthlens/tokenizer/pattern.hpp"

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace depthlens {

// What becomes of a match: a word of its own, part of the word beside it, one word with the matches beside
// it, or nothing.
enum class split_behavior { isolated, merged_with_previous, merged_with_next, contiguous, removed };

// One cut. `expression` is a pattern of split_patterns, or, if `literal`, text to be found as it stands. If
// `inverted`, `behavior` is that of what lies between the matches.
struct split_step {
  std::string expression;
  bool literal = false;
  split_behavior behavior = split_behavior::isolated;
  bool inverted = false;
  bool operator==(const split_step&) const = default;
};

// Immutable and cheap to copy; const members may be called from several threads.
class pretokenizer {
 public:
  pretokenizer() = default;
  explicit pretokenizer(std::vector<split_step> steps) : steps_(std::move(steps)) {
    for (const split_step& s : steps_) patterns_.push_back(s.literal ? nullptr : compiled(s.expression));
  }

  const std::vector<split_step>& steps() const noexcept { return steps_; }

  // Calls emit(word) for each word of `text` (valid UTF-8) in order; joined, the words are the text, less
  // what a step removes. No word is empty; a pattern of bytes may cut inside a character.
  template <class Emit>
  void split(std::string_view text, Emit&& emit) const {
    cut(0, text, emit);
  }

 private:
  static std::shared_ptr<const pattern> compiled(std::string_view expression) {
    const bool bytes = split_patterns::of_bytes(expression);
    return std::make_shared<const pattern>(split_patterns::for_pcre2(expression),
                                           bytes ? pattern::units::bytes : pattern::units::characters);
  }

  template <class Emit>
  void cut(std::size_t step, std::string_view text, Emit& emit) const {
    if (text.empty()) return;
    if (step == steps_.size()) return emit(text);
    const split_step& rule = steps_[step];
    std::size_t begin = 0;      // of the word in the making: all before it has been passed on
    bool match_before = false;  // it ends with a match
    const auto end_word = [&](std::size_t end) {
      if (!match_before || rule.behavior != split_behavior::removed)
        cut(step + 1, text.substr(begin, end - begin), emit);
      begin = end;
    };
    // A match, or what lies between two, starts at `at`.
    const auto start_part = [&](std::size_t at, bool match) {
      if (at == begin || !joins(rule.behavior, match_before, match)) end_word(at);
      match_before = match;
    };
    pattern_match m{};
    std::size_t from = 0;
    for (; from < text.size() && find(step, text, from, m); from = m.end) {
      if (m.end == m.begin) break;  // no pattern of ours matches nothing
      if (from < m.begin) start_part(from, rule.inverted);
      start_part(m.begin, !rule.inverted);
    }
    if (from < text.size()) start_part(from, rule.inverted);
    end_word(text.size());
  }

  // Whether a part of a text goes into the word that the part before it is in.
  static bool joins(split_behavior behavior, bool match_before, bool match) noexcept {
    switch (behavior) {
      case split_behavior::merged_with_previous:
        return match && !match_before;
      case split_behavior::merged_with_next:
        return !match && match_before;
      case split_behavior::contiguous:
        return match == match_before;
      case split_behavior::isolated:
      case split_behavior::removed:
        break;
    }
    return false;
  }

  bool find(std::size_t step, std::string_view text, std::size_t from, pattern_match& out) const {
    if (!steps_[step].literal) return patterns_[step]->find(text, from, out);
    const std::size_t at = text.find(steps_[step].expression, from);
    if (at == std::string_view::npos) return false;
    out = {at, at + steps_[step].expression.size()};
    return true;
  }

  std::vector<split_step> steps_;
  std::vector<std::shared_ptr<const pattern>> patterns_;  // nullptr for literal steps
};

// How a family of tokenizers cuts text, and what else goes with it in files that say no more than its name.
struct pretokenizer_preset {
  std::string_view name;                   // as GGUF's tokenizer.ggml.pre gives it
  std::string_view kind;                   // family, for messages
  std::vector<std::string_view> patterns;  // split_patterns, in order
  bool nfc = false;                        // text is normalised first
  bool whole_words = false;                // see bpe_vocabulary
  bool add_bos = false;                    // unless the file says otherwise
};

namespace detail {

inline const std::vector<pretokenizer_preset>& pretokenizer_presets() {
  namespace p = split_patterns;
  static const std::vector<pretokenizer_preset> presets = {
      {"", "gpt-2, assumed", {p::gpt2}},
      {"default", "gpt-2, assumed", {p::gpt2}},
      {"gpt-2", "gpt-2", {p::gpt2}},
      {"phi-2", "gpt-2", {p::gpt2}},
      {"mpt", "gpt-2", {p::gpt2}},
      {"olmo", "gpt-2", {p::gpt2}, true},
      {"smollm", "smollm", {p::digit, p::gpt2}},
      {"starcoder", "smollm", {p::digit, p::gpt2}},
      {"refact", "smollm", {p::digit, p::gpt2}},
      {"command-r", "smollm", {p::digit, p::gpt2}, true},
      {"llama-bpe", "llama-3", {p::llama3}, false, true, true},
      {"llama3", "llama-3", {p::llama3}, false, true, true},
      {"llama-v3", "llama-3", {p::llama3}, false, true, true},
      {"falcon3", "llama-3", {p::llama3}, false, true, true},
      {"smaug-bpe", "llama-3", {p::llama3}, false, true},
      {"dbrx", "llama-3", {p::llama3}},
      {"qwen2", "qwen2", {p::qwen2}, true},
      {"stablelm2", "qwen2", {p::qwen2}, true},
      {"deepseek-r1-qwen", "qwen2", {p::qwen2}, true},
      {"qwen35", "qwen35", {p::qwen35}, true},
      {"tekken", "tekken", {p::tekken}, false, true, true},
      {"gpt-4o", "gpt-4o", {p::gpt4o}},
      {"llama4", "gpt-4o", {p::gpt4o}},
      {"falcon", "falcon", {p::punctuation, p::gpt2, p::digit_bytes, p::three_digits}},
      {"bloom", "bloom", {p::bloom}},
      {"deepseek-llm",
       "deepseek-llm",
       {p::line_ends, p::blank_cased_letters, p::blank_signs, p::last_blanks, p::asian, p::digit}},
      {"deepseek-coder",
       "deepseek-coder",
       {p::line_ends, p::blank_letters, p::blank_punctuation, p::asian, p::digit}},
      {"deepseek-v3", "deepseek-v3", {p::three_numbers, p::chinese_and_kana, p::deepseek3}},
  };
  return presets;
}

}  // namespace detail

// nullopt if the name is not known. "" and "default" are files whose writer did not know the tokenizer: they
// are read as GPT-2's, which is right for GPT-2 and GPT-NeoX.
inline std::optional<pretokenizer_preset> find_preset(std::string_view name) {
  for (const pretokenizer_preset& preset : detail::pretokenizer_presets()) {
    if (preset.name == name) return preset;
  }
  return std::nullopt;
}

// The family that cuts with exactly these patterns.
inline std::optional<std::string_view> kind_of_patterns(const std::vector<std::string_view>& patterns) {
  for (const pretokenizer_preset& preset : detail::pretokenizer_presets()) {
    if (preset.name != "" && preset.name != "default" && preset.patterns == patterns) return preset.kind;
  }
  return std::nullopt;
}

}  // namespace depthlens
