// SPDX-License-Identifier: Apache-2.0
// Records from the three JSON forms: rows {"prompt", "answer"} in a list or one per line, MQuAKE cases and
// CounterFact entries. Nothing is filtered by length or de-duplicated here: that is the experiments' part.
#pragma once

#include <depthlens/data/json_items.hpp>
#include <depthlens/data/record_reader.hpp>
#include <depthlens/model/printable.hpp>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace depthlens {

namespace detail {

inline std::string quoted_key(std::string_view key) { return "\"" + std::string(key) + "\""; }

// The item as an object, or an error that says what was expected.
inline const boost::json::object& require_object(const json_items& items, const boost::json::value* value,
                                                 std::string_view what) {
  if (value == nullptr) items.fail_item(what, " is missing");
  if (!value->is_object()) items.fail_item(what, " is not an object {...}");
  return value->get_object();
}

// The text under a key; nothing where the key is missing or null. Other types are errors.
inline std::optional<std::string> optional_text(const json_items& items, const boost::json::object& object,
                                                std::string_view key) {
  const boost::json::value* value = object.if_contains({key.data(), key.size()});
  if (value == nullptr || value->is_null()) return std::nullopt;
  if (!value->is_string()) items.fail_item(quoted_key(key), " is not a text in double quotes");
  return std::string(value->get_string().data(), value->get_string().size());
}

inline std::string require_text(const json_items& items, const boost::json::object& object,
                                std::string_view key) {
  std::optional<std::string> text = optional_text(items, object, key);
  if (!text) items.fail_item(quoted_key(key), " is missing");
  return *std::move(text);
}

// JSON can write a NUL, but tables cannot hold one and no prompt needs it: refused before anything is run.
inline void refuse_nul(const json_items& items, const record& r) {
  for (const auto& [name, value] : r.fields)
    if (name.find('\0') != std::string::npos || value.find('\0') != std::string::npos)
      items.fail_item(name.find('\0') != std::string::npos ? "the key " : "the text of ", printable(name),
                      " holds a NUL character, which no table can; take \\u0000 out of the file");
}

// Texts, integers and booleans as text: the types that can be a field. Nothing for all others.
inline std::optional<std::string> scalar_text(const boost::json::value& value) {
  if (value.is_string()) return std::string(value.get_string().data(), value.get_string().size());
  if (value.is_int64()) return std::to_string(value.get_int64());
  if (value.is_uint64()) return std::to_string(value.get_uint64());
  if (value.is_bool()) return std::string(value.get_bool() ? "true" : "false");
  return std::nullopt;
}

inline void add_scalar(record& out, const boost::json::object& object, std::string_view key,
                       std::string_view name) {
  const boost::json::value* value = object.if_contains({key.data(), key.size()});
  if (value == nullptr) return;
  if (std::optional<std::string> text = scalar_text(*value)) out.fields.emplace_back(name, *std::move(text));
}

}  // namespace detail

// Rows: "prompt" (required), "answer" and "text" (optional, null = missing; "text" begins with the prompt).
// Further texts, integers and booleans of a row become fields of the same name; other values are left out.
class row_reader final : public record_reader {
 public:
  row_reader(const std::filesystem::path& path, json_form form) : items_(path, form) {}

  bool next(record& out) override {
    boost::json::value item;
    if (!items_.next(item)) return false;
    const boost::json::object& row = detail::require_object(items_, &item, "the row");
    out = {items_.read() - 1, "prompt", {}, {}};
    out.fields.emplace_back("prompt", detail::require_text(items_, row, "prompt"));
    for (const std::string_view key : {"answer", "text"})
      if (auto text = detail::optional_text(items_, row, key)) out.fields.emplace_back(key, *std::move(text));
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
  json_items items_;
};

// MQuAKE: every hop of every case's "single_hops" (the unedited facts): "cloze" is the prompt, "answer" the
// answer. A hop where one of them is empty or missing is skipped; `index` counts the hops that are read.
class mquake_reader final : public record_reader {
 public:
  explicit mquake_reader(const std::filesystem::path& path) : items_(path, json_form::list) {}

  bool next(record& out) override {
    for (;;) {
      while (hop_ == hops().size())
        if (!next_case()) return false;
      const boost::json::value* value = &hops()[hop_++];
      const boost::json::object& hop =
          detail::require_object(items_, value, cat("single_hops[", hop_ - 1, "]"));
      std::optional<std::string> prompt = detail::optional_text(items_, hop, "cloze");
      std::optional<std::string> answer = detail::optional_text(items_, hop, "answer");
      if (!prompt || prompt->empty() || !answer || answer->empty()) {
        ++skipped_;
        continue;
      }
      out = {index_++, "fact", {}, {}};
      out.fields.emplace_back("prompt", *std::move(prompt));
      out.fields.emplace_back("answer", *std::move(answer));
      detail::add_scalar(out, case_.get_object(), "case_id", "case_id");
      detail::refuse_nul(items_, out);
      return true;
    }
  }
  std::uint64_t skipped() const override { return skipped_; }

 private:
  const boost::json::array& hops() const {
    static const boost::json::array none;
    return case_.is_null() ? none : case_.get_object().at("single_hops").get_array();
  }

  bool next_case() {
    boost::json::value item;
    if (!items_.next(item)) return false;
    const boost::json::object& object = detail::require_object(items_, &item, "the case");
    const boost::json::value* hops = object.if_contains("single_hops");
    if (hops == nullptr || !hops->is_array()) items_.fail_item("\"single_hops\" is not there or not a list");
    case_ = std::move(item);
    hop_ = 0;
    return true;
  }

  json_items items_;
  boost::json::value case_;  // null before the first
  std::size_t hop_ = 0;
  std::uint64_t index_ = 0, skipped_ = 0;
};

// CounterFact: "requested_rewrite" has a prompt template with one "{}", the subject that goes there, the true
// answer ("answer") and the counterfactual one ("other").
class counterfact_reader final : public record_reader {
 public:
  explicit counterfact_reader(const std::filesystem::path& path) : items_(path, json_form::list) {}

  bool next(record& out) override {
    boost::json::value item;
    if (!items_.next(item)) return false;
    const boost::json::object& entry = detail::require_object(items_, &item, "the entry");
    const boost::json::object& rewrite =
        detail::require_object(items_, entry.if_contains("requested_rewrite"), "\"requested_rewrite\"");
    out = {items_.read() - 1, "fact", {}, {}};
    out.fields.emplace_back("prompt", fill(rewrite));
    out.fields.emplace_back("answer", target(rewrite, "target_true"));
    out.fields.emplace_back("other", target(rewrite, "target_new"));
    detail::add_scalar(out, entry, "case_id", "case_id");
    detail::add_scalar(out, rewrite, "relation_id", "relation");
    detail::refuse_nul(items_, out);
    return true;
  }

 private:
  std::string fill(const boost::json::object& rewrite) const {
    std::string prompt = detail::require_text(items_, rewrite, "prompt");
    const std::size_t at = prompt.find("{}");
    if (at == std::string::npos || prompt.find("{}", at + 2) != std::string::npos)
      items_.fail_item("the prompt template must have exactly one {}, the place of the subject");
    return prompt.replace(at, 2, detail::require_text(items_, rewrite, "subject"));
  }

  std::string target(const boost::json::object& rewrite, std::string_view key) const {
    const boost::json::value* value = rewrite.if_contains({key.data(), key.size()});
    return detail::require_text(items_, detail::require_object(items_, value, detail::quoted_key(key)),
                                "str");
  }

  json_items items_;
};

}  // namespace depthlens
