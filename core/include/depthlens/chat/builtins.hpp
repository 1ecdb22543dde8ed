// SPDX-License-Identifier: Apache-2.0
// Filters (x | trim), tests (x is string), methods (x.strip()) and functions (range(3)) that templates use.
// Those that are not here are refused by name where they are reached.
#pragma once

#include "depthlens/base/error.hpp"
#include "depthlens/base/text.hpp"
#include "depthlens/base/utf8.hpp"
#include "depthlens/chat/budget.hpp"
#include "depthlens/chat/texts.hpp"
#include "depthlens/chat/value.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace depthlens::chat {

// The values given to one of them.
struct given {
  std::vector<value> plain = {};
  value_dict named = {};

  const value* at(std::size_t i, std::string_view key = {}) const {
    if (i < plain.size()) return &plain[i];
    for (const auto& [name, v] : named)
      if (name == key) return &v;
    return nullptr;
  }
};

namespace detail {

inline const std::string& need_text(const value& v, std::string_view of) {
  if (const std::string* s = v.text()) return *s;
  fail(status::data, of, " wants a text, not ", kind_name(v));
}
inline const value& need(const given& arguments, std::size_t i, std::string_view of) {
  if (const value* v = arguments.at(i)) return *v;
  fail(status::data, of, " wants ", i + 1, i == 0 ? " argument" : " arguments");
}
inline value items_of(const value& v, budget& work) {
  if (v.dict() == nullptr) fail(status::data, "items of ", kind_name(v));
  value_list out;
  for (const auto& [key, item] : *v.dict()) {
    work.copy(64);
    out.emplace_back(value_list{value(key), item});
  }
  return value(std::move(out));
}
inline value keys_of(const value_dict& d, budget& work) {
  value_list out;
  for (const auto& [key, item] : d) {
    work.copy(64);
    out.emplace_back(key);
  }
  return value(std::move(out));
}
inline std::int64_t length_of(const value& v) {
  if (const std::string* s = v.text()) return static_cast<std::int64_t>(utf8_count(*s));
  if (const value_list* l = v.list()) return static_cast<std::int64_t>(l->size());
  if (const value_dict* d = v.dict()) return static_cast<std::int64_t>(d->size());
  if (v.is_undefined()) return 0;
  fail(status::data, "the length of ", kind_name(v));
}
inline std::string joined(const value_list& parts, const std::string& between, budget& work) {
  std::string out;
  for (const value& part : parts) {
    const std::string text = text_of(part);
    work.copy(text.size() + between.size());
    if (&part != &parts.front()) out += between;
    out += text;
  }
  return out;
}

}  // namespace detail

inline bool contains(const value& in, const value& what, budget& work) {
  if (const std::string* s = in.text()) {
    const std::string& part = detail::need_text(what, "in");
    work.search(s->size(), part.size());
    return s->find(part) != std::string::npos;
  }
  if (const value_list* l = in.list()) {
    work.spend(l->size());
    return std::any_of(l->begin(), l->end(), [&](const value& v) { return are_equal(v, what); });
  }
  if (in.dict() != nullptr) {
    work.spend(in.dict()->size());
    return what.text() != nullptr && in.find(*what.text()) != nullptr;
  }
  if (in.is_undefined()) return false;
  fail(status::data, "looks for a value in ", kind_name(in));
}

inline bool test(std::string_view name, const value& v, const given& arguments, budget& work) {
  const bool text = v.text() != nullptr, list = v.list() != nullptr, dict = v.dict() != nullptr;
  const auto* b = v.as<bool>();
  const auto* n = v.as<std::int64_t>();
  if (name == "defined") return !v.is_undefined();
  if (name == "undefined") return v.is_undefined();
  if (name == "none") return v.as<none>() != nullptr;
  if (name == "string") return text;
  if (name == "mapping") return dict;
  if (name == "sequence") return text || list || dict;
  if (name == "iterable") return text || list || dict || v.is_undefined();
  if (name == "boolean") return b != nullptr;
  if (name == "true") return b != nullptr && *b;
  if (name == "false") return b != nullptr && !*b;
  if (name == "integer") return n != nullptr;
  if (name == "number") return n != nullptr || b != nullptr;
  if (name == "odd" && n != nullptr) return *n % 2 != 0;
  if (name == "even" && n != nullptr) return *n % 2 == 0;
  if (name == "equalto" || name == "eq") return are_equal(v, detail::need(arguments, 0, name));
  if (name == "ne") return !are_equal(v, detail::need(arguments, 0, name));
  if (name == "in") return contains(detail::need(arguments, 0, name), v, work);
  fail(status::data, "the test ", printable(name, 40), " of ", kind_name(v), " is not understood");
}

namespace detail {

// selectattr and rejectattr: the items whose member passes a test, or does not.
inline value selected(const value& v, const given& arguments, bool wanted, budget& work) {
  if (v.list() == nullptr) fail(status::data, "selects from ", kind_name(v));
  const std::string& key = need_text(need(arguments, 0, "selectattr"), "selectattr");
  given rest;
  for (std::size_t i = 2; i < arguments.plain.size(); ++i) rest.plain.push_back(arguments.plain[i]);
  value_list out;
  for (const value& item : *v.list()) {
    work.spend(1);
    const value* member = item.find(key);
    const value of = member != nullptr ? *member : value();
    const bool passes = arguments.plain.size() > 1
                            ? test(need_text(arguments.plain[1], "selectattr"), of, rest, work)
                            : is_true(of);
    if (passes == wanted) out.push_back(item);
  }
  return value(std::move(out));
}

inline value mapped(const value& v, const given& arguments, budget& work) {
  const value* key = arguments.at(1, "attribute");
  if (v.list() == nullptr || key == nullptr || !arguments.plain.empty())
    fail(status::data, "the filter map is only understood as map(attribute=...) of a list");
  value_list out;
  for (const value& item : *v.list()) {
    work.spend(1);
    const value* member = item.find(need_text(*key, "map"));
    out.push_back(member != nullptr ? *member : value());
  }
  return value(std::move(out));
}

inline value filter_list(std::string_view name, const value& v, const given& arguments, budget& work) {
  const value_list& l = *v.list();
  work.spend(l.size());
  if (name == "list") return v;
  if (name == "first") return l.empty() ? value() : l.front();
  if (name == "last") return l.empty() ? value() : l.back();
  if (name == "reverse") return value(value_list(l.rbegin(), l.rend()));
  if (name == "join") {
    const value* between = arguments.at(0, "d");
    return value(joined(l, between != nullptr ? text_of(*between) : std::string(), work));
  }
  fail(status::data, "the filter ", printable(name, 40), " of a list is not understood");
}

}  // namespace detail

inline value filter(std::string_view name, const value& v, const given& arguments, budget& work) {
  if (name == "trim" && arguments.plain.empty())
    return value(std::string(stripped(text_of(v), text_side::both)));
  if (name == "length" || name == "count") return value::of_int(detail::length_of(v));
  if (name == "string") return value(text_of(v));
  if (name == "safe") return v;
  if (name == "upper") return value(in_case(text_of(v), letter_case::upper));
  if (name == "lower") return value(in_case(text_of(v), letter_case::lower));
  if (name == "title") return value(in_case(text_of(v), letter_case::title));
  if (name == "default" || name == "d") {
    const value* other = arguments.at(0, "default_value");
    const value* falsy = arguments.at(1, "boolean");
    const bool taken = v.is_undefined() || (falsy != nullptr && is_true(*falsy) && !is_true(v));
    return !taken ? v : other != nullptr ? *other : value(std::string());
  }
  if (name == "items") return detail::items_of(v, work);
  if (name == "selectattr" || name == "rejectattr")
    return detail::selected(v, arguments, name == "selectattr", work);
  if (name == "map") return detail::mapped(v, arguments, work);
  if (name == "replace")
    return value(replaced(text_of(v), detail::need_text(detail::need(arguments, 0, name), name),
                          detail::need_text(detail::need(arguments, 1, name), name), work));
  if (name == "list" && v.dict() != nullptr) return detail::keys_of(*v.dict(), work);
  if (v.list() != nullptr) return detail::filter_list(name, v, arguments, work);
  fail(status::data, "the filter ", printable(name, 40), " of ", kind_name(v), " is not understood");
}

namespace detail {

inline value text_method(std::string_view name, const std::string& s, const given& arguments, budget& work) {
  const auto text = [&](std::size_t i) -> const std::string& {
    return need_text(need(arguments, i, name), name);
  };
  const bool bare = arguments.plain.empty();
  const auto strip = [&](text_side side) {
    if (!bare && text(0).empty()) return value(s);
    return value(std::string(stripped(s, side, bare ? std::string() : text(0))));
  };
  if (!arguments.named.empty()) fail(status::data, "names an argument of ", printable(name, 40));
  if (name == "strip") return strip(text_side::both);
  if (name == "lstrip") return strip(text_side::left);
  if (name == "rstrip") return strip(text_side::right);
  if (name == "startswith") return value::of_bool(s.starts_with(text(0)));
  if (name == "endswith") return value::of_bool(s.ends_with(text(0)));
  if (name == "upper") return value(in_case(s, letter_case::upper));
  if (name == "lower") return value(in_case(s, letter_case::lower));
  if (name == "title") return value(in_case(s, letter_case::title));
  if (name == "split" && arguments.plain.size() == 1) return value(split(s, text(0), work));
  if (name == "replace" && arguments.plain.size() == 2) return value(replaced(s, text(0), text(1), work));
  if (name == "join" && need(arguments, 0, name).list() != nullptr)
    return value(joined(*arguments.plain[0].list(), s, work));
  fail(status::data, "the method ", printable(name, 40), " of a text is not understood");
}

}  // namespace detail

inline value method(std::string_view name, const value& v, const given& arguments, budget& work) {
  if (const std::string* s = v.text()) return detail::text_method(name, *s, arguments, work);
  if (const value_dict* d = v.dict()) {
    if (name == "items") return detail::items_of(v, work);
    if (name == "keys") return detail::keys_of(*d, work);
    if (name == "get") {
      work.spend(d->size() / 8);
      const value* found = v.find(detail::need_text(detail::need(arguments, 0, name), name));
      const value* otherwise = arguments.at(1);
      return found != nullptr ? *found : otherwise != nullptr ? *otherwise : value(none{});
    }
  }
  fail(status::data, "the method ", printable(name, 40), " of ", kind_name(v), " is not understood");
}

inline value range_of(const given& arguments, budget& work) {
  std::int64_t bounds[] = {0, 0};
  if (arguments.plain.empty() || arguments.plain.size() > 2)
    fail(status::data, "range is understood with one or two numbers");
  for (std::size_t i = 0; i < arguments.plain.size(); ++i) {
    const auto* n = arguments.plain[i].as<std::int64_t>();
    if (n == nullptr) fail(status::data, "range wants numbers, not ", kind_name(arguments.plain[i]));
    bounds[arguments.plain.size() == 1 ? 1 : i] = *n;
  }
  value_list out;
  for (std::int64_t i = bounds[0]; i < bounds[1]; ++i) {
    work.copy(64);
    out.push_back(value::of_int(i));
  }
  return value(std::move(out));
}

}  // namespace depthlens::chat
