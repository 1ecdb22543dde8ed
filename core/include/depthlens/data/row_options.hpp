// SPDX-License-Identifier: Apache-2.0
// The options of a multiple choice row: where they stand, which of them the answer is, what of them follows
// the prompt (their texts, or the letters under which the prompt lists them), and the prompt of a row that
// has only a question.
//
//   "options" or "choices"   ["red", "blue"], or {"text": ["red", "blue"], "label": ["A", "B"]}
//   "answer" ("answerKey")   a text of the list, a label, a letter, or the place from 0; -1 or null = none
//   "question"               instead of "prompt": the question, a line for each choice, "Answer:"
#pragma once

#include <depthlens/base/text.hpp>
#include <depthlens/base/utf8.hpp>
#include <depthlens/data/json_items.hpp>
#include <depthlens/data/json_text.hpp>
#include <depthlens/data/record.hpp>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace depthlens::detail {

// The choices as the row gives them.
struct row_choices {
  std::string key;                  // "options" or "choices"
  std::vector<std::string> texts;   // at least one
  std::vector<std::string> labels;  // as many, or none: over 26 choices without labels have no letters
  bool numbers = false;             // the list holds numbers: a number as answer is one of them, not a place
};

inline std::vector<std::string> texts_of_list(const json_items& items, const boost::json::value* value,
                                              const std::string& what) {
  if (value == nullptr || !value->is_array() || value->get_array().empty())
    items.fail_item(what, " is not a list of texts; expected for example [\"yes\", \"no\"]");
  std::vector<std::string> out;
  for (const boost::json::value& element : value->get_array()) {
    std::optional<std::string> text = scalar_text(element);
    if (!text) items.fail_item(what, "[", out.size(), "] is no text");
    out.push_back(*std::move(text));
  }
  return out;
}

// Nothing where the row gives none.
inline std::optional<row_choices> choices_of(const json_items& items, const boost::json::object& row) {
  for (const std::string key : {"options", "choices"}) {
    const boost::json::value* value = row.if_contains(key);
    if (value == nullptr || value->is_null()) continue;
    row_choices out{key, {}, {}};
    const boost::json::value* list = value;
    if (value->is_object()) {
      list = value->get_object().if_contains("text");
      if (const auto* labels = value->get_object().if_contains("label"))
        out.labels = texts_of_list(items, labels, quoted_key(key) + ".label");
    }
    out.texts = texts_of_list(items, list, quoted_key(key) + (value->is_object() ? ".text" : ""));
    if (!out.labels.empty() && out.labels.size() != out.texts.size())
      items.fail_item(quoted_key(key), " has ", out.texts.size(), " texts and ", out.labels.size(),
                      " labels");
    if (out.labels.empty() && out.texts.size() <= 26)
      for (std::size_t i = 0; i < out.texts.size(); ++i)
        out.labels.emplace_back(1, static_cast<char>('A' + static_cast<char>(i)));
    const boost::json::array& all = list->get_array();
    out.numbers = std::all_of(all.begin(), all.end(), [](const auto& v) { return v.is_number(); });
    return out;
  }
  return std::nullopt;
}

// The place in `list` of a text: as it stands there, or but for white space around it.
inline std::optional<std::size_t> place_in(const std::vector<std::string>& list, std::string_view text) {
  const auto at = [&](const auto& same) -> std::optional<std::size_t> {
    const auto found = std::find_if(list.begin(), list.end(), same);
    if (found == list.end()) return std::nullopt;
    return static_cast<std::size_t>(found - list.begin());
  };
  if (const auto exact = at([&](const std::string& one) { return one == text; })) return exact;
  return at([&](const std::string& one) { return utf8_strip(one) == utf8_strip(text); });
}

// Which of the choices the answer is; nothing where the row has none.
inline std::optional<std::size_t> place_of_answer(const json_items& items, const row_choices& choices,
                                                  const boost::json::value* answer) {
  if (answer == nullptr || answer->is_null()) return std::nullopt;
  const std::size_t n = choices.texts.size();
  const std::optional<std::string> text = scalar_text(*answer);
  if (!text) items.fail_item("the answer is neither a text nor a whole number");
  if (answer->is_string() || answer->is_bool() || choices.numbers) {
    if (text->empty()) return std::nullopt;
    if (const auto at = place_in(choices.texts, *text)) return at;
    if (const auto at = place_in(choices.labels, *text)) return at;
    const char letter = text->size() == 1 ? text->front() : '\0';
    if (letter >= 'a' && static_cast<std::size_t>(letter - 'a') < choices.labels.size())
      return static_cast<std::size_t>(letter - 'a');
  } else if (answer->is_int64()) {
    if (answer->get_int64() == -1) return std::nullopt;
    if (answer->get_int64() >= 0 && static_cast<std::uint64_t>(answer->get_int64()) < n)
      return static_cast<std::size_t>(answer->get_int64());
  }
  items.fail_item("the answer ", printable(*text), " is none of the ", n, " ", choices.key,
                  "; expected one of their texts, its letter, or its place from 0 to ", n - 1);
}

// Does the prompt list every choice under its label, as in "A. red", "A) red" or "A: red"?
inline bool lists_choices(std::string_view prompt, const row_choices& choices) {
  constexpr std::size_t most = 64;  // each is searched for in the whole prompt
  if (choices.labels.empty() || choices.labels.size() > most) return false;
  for (std::size_t i = 0; i < choices.texts.size(); ++i) {
    const auto has = [&](std::string_view mark) {
      const std::string line =
          choices.labels[i] + std::string(mark) + std::string(utf8_strip(choices.texts[i]));
      return prompt.find(line) != std::string_view::npos;
    };
    if (!has(". ") && !has(") ") && !has(": ")) return false;
  }
  return true;
}

// The usual form: the question, "A. ..." and so on, "Answer:".
inline std::string prompt_of_question(const json_items& items, std::string_view question,
                                      const row_choices& choices) {
  if (choices.labels.empty())
    items.fail_item(quoted_key(choices.key), " has ", choices.texts.size(),
                    " texts; a question can have 26 without labels of their own");
  std::string out(utf8_strip(question));
  for (std::size_t i = 0; i < choices.texts.size(); ++i)
    out += '\n' + choices.labels[i] + ". " + choices.texts[i];
  return out + "\nAnswer:";
}

// Puts the row's options and its answer into a record that has its prompt.
inline void add_options(const json_items& items, const row_choices& choices, const boost::json::object& row,
                        record& out) {
  const boost::json::value* answer = row.if_contains("answer");
  if (answer == nullptr && !row.contains("prompt")) answer = row.if_contains("answerKey");
  const std::optional<std::size_t> place = place_of_answer(items, choices, answer);
  out.options = lists_choices(out.fields.front().second, choices) ? choices.labels : choices.texts;
  if (place) out.fields.emplace_back("answer", out.options[*place]);
}

}  // namespace depthlens::detail
