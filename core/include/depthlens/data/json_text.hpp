// SPDX-License-Identifier: Apache-2.0
// What the readers of JSON records do with the values of an item: take texts out of it, or say with file,
// line and row what is wrong. Whole documents are read by base/json.hpp. The items are json_items.hpp.
#pragma once

#include <depthlens/base/text.hpp>
#include <depthlens/data/json_items.hpp>
#include <depthlens/data/record.hpp>

#include <boost/json/object.hpp>

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
  for (const std::string& option : r.options)
    if (option.find('\0') != std::string::npos)
      items.fail_item("an option holds a NUL character, which no table can; take \\u0000 out of the file");
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

}  // namespace depthlens
