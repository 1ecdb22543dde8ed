// SPDX-License-Identifier: Apache-2.0
// Which token ids an answer has where it continues a prompt: ids(prompt + answer) after ids(prompt). With
// source text the answer stands there as written; without, it may follow with or without a blank and the
// model decides.
#pragma once

#include "depthlens/data/utf8.hpp"
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

// Does a text end in white space? Only the characters of one byte count: a blank is what matters to
// tokenizers.
inline bool ends_in_white_space(std::string_view text) {
  return !text.empty() &&
         is_split_character(static_cast<unsigned char>(text.back()) & 0x80 ? U'x' : text.back());
}

// The forms that can follow the prompt, the preferred one first; none = reason "boundary".
//   source: the text as written from the prompt's end to the end of the answer; nothing = either form is
//   accepted, and the one with a leading blank is preferred unless the prompt ends in white space.
inline std::vector<answer_form> answer_forms(const tokenizer_view& tokenizer, std::string_view prompt,
                                             std::span<const std::int32_t> prompt_ids,
                                             std::string_view answer,
                                             std::optional<std::string_view> source = std::nullopt) {
  std::vector<answer_form> out;
  const auto add = [&](std::string_view form, std::string text) {
    if (auto ids = continuation_ids(tokenizer, prompt, prompt_ids, text))
      out.push_back({form, std::move(text), *ids});
  };
  if (source) {
    add("source", std::string(*source));
    return out;
  }
  add("blank", ' ' + std::string(answer));
  add("bare", std::string(answer));
  if (out.size() == 2 && ends_in_white_space(prompt)) std::swap(out[0], out[1]);
  return out;
}

// The forms after a prompt that was retried with a blank appended, the bare one first. Where tokens carry
// their leading blank, the bare answer never continues such a prompt by the rule above; then it has its ids
// as a text of its own.
inline std::vector<answer_form> retried_forms(const tokenizer_view& tokenizer, std::string_view prompt,
                                              std::span<const std::int32_t> prompt_ids,
                                              std::string_view answer, bool with_blank) {
  auto bare = continuation_ids(tokenizer, prompt, prompt_ids, answer);
  if (!bare) bare = tokenizer.encode_text(answer);
  std::vector<answer_form> out;
  if (!bare->empty()) out.push_back({"bare", std::string(answer), *std::move(bare)});
  std::string text = ' ' + std::string(answer);
  if (!with_blank) return out;
  if (auto ids = continuation_ids(tokenizer, prompt, prompt_ids, text))
    out.push_back({"blank", std::move(text), *std::move(ids)});
  return out;
}

// The form whose first token is the model's final top-1, else the preferred one. Null where there are none.
inline const answer_form* choose_form(std::span<const answer_form> forms, std::int32_t final_top) {
  if (forms.empty()) return nullptr;
  for (const answer_form& form : forms)
    if (form.ids.front() == final_top) return &form;
  return &forms.front();
}

// What stands in `text` after the prompt up to the end of the answer, white space in between included;
// nothing where the text goes on otherwise.
inline std::optional<std::string_view> source_continuation(std::string_view text, std::string_view prompt,
                                                           std::string_view answer) {
  if (!text.starts_with(prompt)) return std::nullopt;
  const std::size_t at = utf8_skip_white_space(text, prompt.size());
  if (answer.empty() || text.substr(at, answer.size()) != answer) return std::nullopt;
  return text.substr(prompt.size(), at + answer.size() - prompt.size());
}

}  // namespace depthlens
