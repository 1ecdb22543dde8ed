// SPDX-License-Identifier: Apache-2.0
// Which prompts a record gives and what answers them: words of a tagged sentence, or a row's own prompt and
// answer. Nothing here knows the model; what is kept is decided in pos.cpp.
#pragma once

#include "depthlens/base/utf8.hpp"
#include "depthlens/experiment.hpp"
#include "depthlens/study/continuation.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace depthlens::pos {

// A tag that is looked for, and the number of the set that its words go to.
struct wanted_tag {
  std::string tag;
  std::size_t set;
};

struct target {
  std::size_t set = 0;
  std::string prompt;
  std::optional<std::string> answer = {};
  std::optional<std::string> source = {};  // the answer as the text goes on with it, blanks in front included
};

struct target_rules {
  bool all_words = false;
  std::size_t min_prompt = 17;  // characters
  bool join_words = false;      // as published: the prompt is the words divided by single blanks
};

namespace detail {

// The place after the last character of `text` that is not white space.
inline std::size_t stripped_end(std::string_view text) {
  const std::vector<word_range> words = utf8_words(text);
  return words.empty() ? 0 : words.back().end;
}

inline target word_target(std::string_view text, const dlens_word& word, std::size_t set) {
  const std::size_t end = stripped_end(text.substr(0, word.begin));
  return {set, std::string(text.substr(0, end)), std::string(text.substr(word.begin, word.end - word.begin)),
          std::string(text.substr(end, word.end - end))};
}

}  // namespace detail

// Words of a sentence with a wanted tag and at least min_prompt characters before them: the first for each
// tag, or all. Words inside a multiword token are passed over, since the text shows only the token.
inline std::vector<target> sentence_targets(const record_view& record, std::span<const wanted_tag> wanted,
                                            const target_rules& rules) {
  const std::string_view text = record.at("text");
  std::vector<target> out;
  for (const wanted_tag& want : wanted) {
    std::string joined;
    for (const dlens_word& word : record.words()) {
      if (word.continued != 0) continue;
      if (word.begin > word.end || word.end > text.size())
        fail(status::data, "record ", record.index(), ": a word lies outside of its text");
      const std::string_view form = text.substr(word.begin, word.end - word.begin);
      if (to_view(word.tag) == want.tag) {
        target t = rules.join_words ? target{want.set, joined, std::string(form)}
                                    : detail::word_target(text, word, want.set);
        if (utf8_count(t.prompt) >= rules.min_prompt) out.push_back(std::move(t));
        // The published rows take a line's first word with the tag or none of that line.
        if (!rules.all_words && (rules.join_words || (!out.empty() && out.back().set == want.set))) break;
      }
      joined += (joined.empty() ? "" : " ") + std::string(form);
    }
  }
  return out;
}

// The one target of a row; an empty answer is told apart by those who read it. Throws status::data where
// "text" does not go on with the answer.
inline target row_target(const record_view& record, std::size_t set) {
  target out{set, std::string(record.at("prompt"))};
  const std::optional<std::string_view> answer = record.find("answer"), text = record.find("text");
  if (!answer) return out;
  out.answer = std::string(*answer);
  if (!text || answer->empty()) return out;
  const auto source = source_continuation(*text, out.prompt, *answer);
  if (!source)
    fail(status::data, "row ", record.index(), ": \"text\" does not go on with the answer \"", *answer,
         "\" after the prompt; give the text that the prompt was cut from, or none");
  out.source = std::string(*source);
  return out;
}

}  // namespace depthlens::pos
