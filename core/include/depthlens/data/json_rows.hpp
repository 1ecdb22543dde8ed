// SPDX-License-Identifier: Apache-2.0
// Records from JSON rows {"prompt", "answer"}, in a list or one per line. Options of multiple choice rows are
// row_options.hpp. Nothing is filtered by length or de-duplicated here: that is the experiments' part.
#pragma once

#include <depthlens/data/json_items.hpp>
#include <depthlens/data/json_text.hpp>
#include <depthlens/data/record_reader.hpp>
#include <depthlens/data/row_options.hpp>

#include <boost/json/object.hpp>

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace depthlens {

// Is an object a row: does it have a prompt, or a question with choices?
inline bool is_row(const boost::json::object& object) {
  return object.contains("prompt") ||
         (object.contains("question") && (object.contains("options") || object.contains("choices")));
}

// Rows: "prompt" (required, or "question" with choices), "answer" and "text" (optional, null = missing;
// "text" begins with the prompt), "options" or "choices". Further texts, integers and booleans of a row
// become fields of the same name; other values are left out.
class row_reader final : public record_reader {
 public:
  row_reader(const std::filesystem::path& path, json_form form) : items_(path, form) {}

  bool next(record& out) override {
    boost::json::value item;
    if (!items_.next(item)) return false;
    const boost::json::object& row = detail::require_object(items_, &item, "the row");
    const std::optional<detail::row_choices> choices = detail::choices_of(items_, row);
    out = {.index = items_.read() - 1, .kind = "prompt"};
    out.fields.emplace_back("prompt", prompt_of(row, choices));
    if (choices)
      detail::add_options(items_, *choices, row, out);
    else
      add_text(row, "answer", out);
    add_text(row, "text", out);
    const std::string* text = out.find("text");
    if (text != nullptr && !text->starts_with(out.fields.front().second))
      items_.fail_item(
          "\"text\" does not begin with \"prompt\"; it must be the source text that the prompt is cut from");
    for (const auto& [name, value] : row) {
      const std::string_view key(name.data(), name.size());
      if (key != "prompt" && key != "answer" && key != "text") detail::add_scalar(out, row, key, key);
    }
    detail::refuse_nul(items_, out);
    return true;
  }

 private:
  std::string prompt_of(const boost::json::object& row,
                        const std::optional<detail::row_choices>& choices) const {
    if (choices && !row.contains("prompt") && row.contains("question"))
      return detail::prompt_of_question(items_, detail::require_text(items_, row, "question"), *choices);
    return detail::require_text(items_, row, "prompt");
  }

  void add_text(const boost::json::object& row, std::string_view key, record& out) const {
    if (auto text = detail::optional_text(items_, row, key)) out.fields.emplace_back(key, *std::move(text));
  }

  json_items items_;
};

}  // namespace depthlens
