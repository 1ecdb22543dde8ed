// SPDX-License-Identifier: Apache-2.0
// The values that a chat template computes with, and what Jinja says of them: truth, equality, their text.
// Lists and dictionaries are shared and, but for namespace(), never changed.
#pragma once

#include "depthlens/base/error.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace depthlens::chat {

struct value;
struct macro_node;

using value_list = std::vector<value>;
using value_dict = std::vector<std::pair<std::string, value>>;  // in the order of insertion; small

struct undefined {
  bool operator==(const undefined&) const = default;
};
struct none {
  bool operator==(const none&) const = default;
};
// A function that the host gives, by name.
struct builtin {
  std::string_view name;
  bool operator==(const builtin&) const = default;
};

struct value {
  std::variant<undefined, none, bool, std::int64_t, std::string, std::shared_ptr<value_list>,
               std::shared_ptr<value_dict>, builtin, const macro_node*>
      data = undefined{};

  value() = default;
  value(none n) : data(n) {}
  value(builtin b) : data(b) {}
  value(const macro_node* m) : data(m) {}
  value(std::string s) : data(std::move(s)) {}
  value(value_list l) : data(std::make_shared<value_list>(std::move(l))) {}
  value(value_dict d) : data(std::make_shared<value_dict>(std::move(d))) {}
  static value of_bool(bool b) {
    value v;
    v.data = b;
    return v;
  }
  static value of_int(std::int64_t n) {
    value v;
    v.data = n;
    return v;
  }

  template <class T>
  const T* as() const noexcept {
    return std::get_if<T>(&data);
  }
  bool is_undefined() const noexcept { return as<undefined>() != nullptr; }
  const std::string* text() const noexcept { return as<std::string>(); }
  const value_list* list() const noexcept {
    const auto* p = as<std::shared_ptr<value_list>>();
    return p != nullptr ? p->get() : nullptr;
  }
  value_dict* dict() const noexcept {
    const auto* p = as<std::shared_ptr<value_dict>>();
    return p != nullptr ? p->get() : nullptr;
  }
  // Null where there is no such key, or this is no dictionary.
  const value* find(std::string_view key) const noexcept {
    if (const value_dict* d = dict())
      for (const auto& [name, v] : *d)
        if (name == key) return &v;
    return nullptr;
  }
};

inline const char* kind_name(const value& v) noexcept {
  static constexpr const char* names[] = {"undefined", "none",         "a truth value", "a number", "a text",
                                          "a list",    "a dictionary", "a function",    "a macro"};
  return names[v.data.index()];
}

inline bool is_true(const value& v) noexcept {
  if (const auto* b = v.as<bool>()) return *b;
  if (const auto* n = v.as<std::int64_t>()) return *n != 0;
  if (const std::string* s = v.text()) return !s->empty();
  if (const value_list* l = v.list()) return !l->empty();
  if (const value_dict* d = v.dict()) return !d->empty();
  return !v.is_undefined() && v.as<none>() == nullptr;
}

// Lists and dictionaries are compared with nothing in templates; refused, so that none is gone through.
inline bool are_equal(const value& a, const value& b) {
  if (a.list() != nullptr && b.list() != nullptr && (a.list()->empty() || b.list()->empty()))
    return a.list()->empty() && b.list()->empty();
  if ((a.list() != nullptr && b.list() != nullptr) || (a.dict() != nullptr && b.dict() != nullptr))
    fail(status::data, "compares lists or dictionaries");
  return a.data == b.data;
}

// As {{ v }} prints it.
inline std::string text_of(const value& v) {
  if (const std::string* s = v.text()) return *s;
  if (const auto* n = v.as<std::int64_t>()) return std::to_string(*n);
  if (const auto* b = v.as<bool>()) return *b ? "True" : "False";
  if (v.is_undefined()) return {};
  if (v.as<none>() != nullptr) return "None";
  fail(status::data, "uses ", kind_name(v), " as a text");
}

}  // namespace depthlens::chat
