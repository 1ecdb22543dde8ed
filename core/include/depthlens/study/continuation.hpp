// SPDX-License-Identifier: Apache-2.0
// Which token ids an answer has where it continues a prompt: ids(prompt + answer) after ids(prompt). With
// source text the answer stands there as written; without, it may follow with or without a blank and the
// model decides.
#pragma once

#include "depthlens/base/utf8.hpp"
#include "depthlens/data/scripts.hpp"
#include "depthlens/experiment.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace depthlens {

// One way to write an answer after a prompt. form: "source" (as the text has it), "blank" or "bare".
struct answer_form {
  std::string_view form;
  std::string text;               // what is appended to the prompt
  std::vector<std::int32_t> ids;  // at least one
};

// The ids of `text` after a prompt's, or nothing where the two together do not begin with the prompt's ids
// (the last token of the prompt would merge with the answer) or add none.
inline std::optional<std::vector<std::int32_t>> continuation_ids(const tokenizer_view& tokenizer,
                                                                 std::string_view prompt,
                                                                 std::span<const std::int32_t> prompt_ids,
                                                                 std::string_view text) {
  std::vector<std::int32_t> whole = tokenizer.encode_prompt(std::string(prompt) + std::string(text));
  if (whole.size() <= prompt_ids.size() || !std::equal(prompt_ids.begin(), prompt_ids.end(), whole.begin()))
    return std::nullopt;
  whole.erase(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(prompt_ids.size()));
  return whole;
}

// The ids of a text that stands inside a line, for where the ids of prompt and text together do not begin
// with the prompt's: without the blank that some tokenizers put in front of every text.
inline std::vector<std::int32_t> own_ids(const tokenizer_view& tokenizer, std::string_view text) {
  const auto adds_blank = [&](const std::vector<std::int32_t>& ids) {
    return !ids.empty() && begins_with_white_space(tokenizer.bytes(ids.front()));
  };
  std::vector<std::int32_t> alone = tokenizer.encode_text(text);
  if (begins_with_white_space(text) || !adds_blank(alone)) return alone;
  // Such a tokenizer puts the blank in front of the line end.
  const std::vector<std::int32_t> line_end = tokenizer.encode_text("\n");
  std::vector<std::int32_t> behind = tokenizer.encode_text('\n' + std::string(text));
  if (behind.size() <= line_end.size() || !std::equal(line_end.begin(), line_end.end(), behind.begin()))
    return alone;
  behind.erase(behind.begin(), behind.begin() + static_cast<std::ptrdiff_t>(line_end.size()));
  return adds_blank(behind) ? alone : behind;
}

// The same, and where the prompt ends in a blank and the text goes on behind it: tokenizers put that blank
// into the next word's token, so that ids(prompt + text) hardly ever begins with ids(prompt); then the text
// has its ids as a text of its own.
inline std::optional<std::vector<std::int32_t>> ids_behind(const tokenizer_view& tokenizer,
                                                           std::string_view prompt,
                                                           std::span<const std::int32_t> prompt_ids,
                                                           std::string_view text) {
  auto ids = continuation_ids(tokenizer, prompt, prompt_ids, text);
  if (ids || !ends_in_blank(prompt) || begins_with_white_space(text)) return ids;
  std::vector<std::int32_t> own = own_ids(tokenizer, text);
  if (own.empty()) return std::nullopt;
  return own;
}

inline std::string_view without_white_space_in_front(std::string_view text) {
  return text.substr(utf8_skip_white_space(text, 0));
}

// How the text of an answer can stand behind a prompt; empty = not in this way.
//   blank: behind its own white space as the data has it, else behind one blank; never where that would be a
//          second blank behind the prompt's own
//   bare:  without white space
// bare_first: the bare way is preferred. So it is behind white space, and where the prompt's last character
// or the answer's first belongs to a script that is written without blanks, unless the answer has its own.
struct answer_texts {
  std::string blank, bare;
  bool bare_first;
};

inline answer_texts texts_of_answer(std::string_view prompt, std::string_view answer) {
  const std::string_view bare = without_white_space_in_front(answer);
  const bool own = bare.size() < answer.size();
  answer_texts out{own ? std::string(answer) : ' ' + std::string(answer), std::string(bare), false};
  if (ends_in_blank(prompt) && begins_with_blank(out.blank)) out.blank.clear();
  const bool unspaced = is_unspaced_script(utf8_last(prompt).value) ||
                        (!bare.empty() && is_unspaced_script(utf8_at(bare, 0).value));
  out.bare_first = !own && (ends_in_white_space(prompt) || unspaced);
  return out;
}

// The forms that can follow the prompt, the preferred one first; none = reason "boundary".
//   source: the text as written from the prompt's end to the end of the answer; nothing = either form is
//   accepted, in the order of texts_of_answer.
inline std::vector<answer_form> answer_forms(const tokenizer_view& tokenizer, std::string_view prompt,
                                             std::span<const std::int32_t> prompt_ids,
                                             std::string_view answer,
                                             std::optional<std::string_view> source = std::nullopt) {
  std::vector<answer_form> out;
  const auto add = [&](std::string_view form, std::string text) {
    if (text.empty()) return;
    if (auto ids = ids_behind(tokenizer, prompt, prompt_ids, text))
      out.push_back({form, std::move(text), *std::move(ids)});
  };
  if (source) {
    add("source", std::string(*source));
    return out;
  }
  answer_texts texts = texts_of_answer(prompt, answer);
  add("blank", std::move(texts.blank));
  add("bare", std::move(texts.bare));
  if (out.size() == 2 && texts.bare_first) std::swap(out[0], out[1]);
  return out;
}

// The form whose first token is the model's final top-1, else the preferred one. Null where there are none.
inline const answer_form* choose_form(std::span<const answer_form> forms, std::int32_t final_top) {
  if (forms.empty()) return nullptr;
  for (const answer_form& form : forms)
    if (form.ids.front() == final_top) return &form;
  return &forms.front();
}

// What stands in `text` after the prompt up to the end of the answer, white space in between as the text has
// it, whatever white space the answer begins with; nothing where the text goes on otherwise.
inline std::optional<std::string_view> source_continuation(std::string_view text, std::string_view prompt,
                                                           std::string_view answer) {
  if (answer.empty() || !text.starts_with(prompt)) return std::nullopt;
  const std::string_view rest = text.substr(prompt.size()), bare = without_white_space_in_front(answer);
  if (bare.empty())
    return rest.starts_with(answer) ? std::optional(rest.substr(0, answer.size())) : std::nullopt;
  const std::size_t at = utf8_skip_white_space(rest, 0);
  if (rest.substr(at, bare.size()) != bare) return std::nullopt;
  return rest.substr(0, at + bare.size());
}

}  // namespace depthlens
