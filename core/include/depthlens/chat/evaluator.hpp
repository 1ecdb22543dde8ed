// SPDX-License-Identifier: Apache-2.0
// Expressions of a template computed. Names are looked up in frames: the template's own variables, and one
// more for each loop and macro at work. Calling a macro is left to the renderer.
#pragma once

#include "depthlens/base/error.hpp"
#include "depthlens/base/text.hpp"
#include "depthlens/chat/budget.hpp"
#include "depthlens/chat/builtins.hpp"
#include "depthlens/chat/syntax.hpp"
#include "depthlens/chat/texts.hpp"
#include "depthlens/chat/value.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace depthlens::chat {

class evaluator {
 public:
  using macro_call = std::function<value(const macro_node&, const given&)>;
  evaluator(budget& work, macro_call call) : work_(work), call_(std::move(call)), frames_(1) {}
  ~evaluator() {
    for (const auto& d : namespaces_) d->clear();  // they may hold themselves
  }
  evaluator(const evaluator&) = delete;

  void set(const std::string& name, value v) { frames_.back()[name] = std::move(v); }
  void set_member(const std::string& name, const std::string& member, value v) {
    const value on = lookup(name);
    if (on.dict() == nullptr) fail(status::data, "sets a member of ", printable(name, 40));
    work_.spend(on.dict()->size() / 8);
    for (auto& [key, old] : *on.dict())
      if (key == member) {
        old = std::move(v);
        return;
      }
    on.dict()->emplace_back(member, std::move(v));
  }

  // A frame more, for as long as it lives. sealed: of those below only the template's own are seen.
  class frame {
   public:
    enum class sight { open, sealed };
    frame(evaluator& e, sight s) : of_(e), floor_(e.floor_) {
      if (s == sight::sealed) of_.floor_ = of_.frames_.size();
      of_.frames_.emplace_back();
    }
    ~frame() {
      of_.frames_.pop_back();
      of_.floor_ = floor_;
    }
    frame(const frame&) = delete;

   private:
    evaluator& of_;
    std::size_t floor_;
  };

  value compute(const expression& e) {
    const budget::level level(work_);
    value out = node(e);
    work_.copy(out.text() != nullptr ? out.text()->size() : 0);
    return out;
  }

 private:
  value node(const expression& e) {
    switch (e.kind) {
      case expression::literal:
        return e.constant;
      case expression::name:
        return lookup(e.word);
      case expression::item:
        return item(compute(*e.of[0]), compute(*e.of[1]));
      case expression::slice:
        return slice(e);
      case expression::call:
        return call(compute(*e.of[0]), arguments(e));
      case expression::method:
        return call_member(e);
      case expression::filter:
        return filter(e.word, compute(*e.of[0]), arguments(e), work_);
      case expression::test:
        return value::of_bool(test(e.word, compute(*e.of[0]), arguments(e), work_));
      case expression::negation:
        return value::of_bool(!is_true(compute(*e.of[0])));
      case expression::minus:
        return value::of_int(-need_int(compute(*e.of[0])));
      case expression::binary:
        return binary(e);
      case expression::conditional:
        if (is_true(compute(*e.of[0]))) return compute(*e.of[1]);
        return e.of[2] ? compute(*e.of[2]) : value();
      case expression::list:
      case expression::dict:
        return collection(e);
    }
    fail(status::internal, "an expression of no kind");
  }

  value lookup(const std::string& name) const {
    for (std::size_t i = frames_.size(); i-- > 0;) {
      if (i > 0 && i < floor_) continue;
      if (const auto at = frames_[i].find(name); at != frames_[i].end()) return at->second;
    }
    for (const std::string_view known : {"raise_exception", "strftime_now", "namespace", "range"})
      if (name == known) return value(builtin{known});
    return {};
  }

  given arguments(const expression& e) {
    given out;
    for (const expression_ptr& p : e.arguments.plain) out.plain.push_back(compute(*p));
    for (const auto& [name, p] : e.arguments.named) out.named.emplace_back(name, compute(*p));
    return out;
  }

  value item(const value& on, const value& key) {
    if (on.is_undefined() || on.as<none>() != nullptr)
      fail(status::data, "takes ", key.text() != nullptr ? printable(*key.text(), 40) : "an item", " of ",
           kind_name(on));
    if (on.dict() != nullptr && key.text() != nullptr) {
      work_.spend(on.dict()->size() / 8);
      const value* found = on.find(*key.text());
      return found != nullptr ? *found : value();
    }
    const auto* n = key.as<std::int64_t>();
    if (on.list() == nullptr || n == nullptr) return {};
    const auto size = static_cast<std::int64_t>(on.list()->size());
    const std::int64_t i = *n < 0 ? *n + size : *n;
    return i >= 0 && i < size ? (*on.list())[static_cast<std::size_t>(i)] : value();
  }

  // [1:] and [::-1], of lists.
  value slice(const expression& e) {
    const value on = compute(*e.of[0]);
    if (on.list() == nullptr) fail(status::data, "cuts a part out of ", kind_name(on));
    const auto size = static_cast<std::int64_t>(on.list()->size());
    const auto part = [&](std::size_t i, std::int64_t otherwise) {
      return e.of[i] ? need_int(compute(*e.of[i])) : otherwise;
    };
    const std::int64_t step = part(3, 1);
    if (step != 1 && (step != -1 || e.of[1] || e.of[2]))
      fail(status::data, "of a list only [from:to] and [::-1] are understood");
    const auto within = [&](std::int64_t i) {
      return std::clamp<std::int64_t>(i < 0 ? i + size : i, 0, size);
    };
    const std::int64_t from = within(part(1, 0)), to = std::max(from, within(part(2, size)));
    work_.spend(static_cast<std::uint64_t>(to - from));
    value_list out(on.list()->begin() + from, on.list()->begin() + to);
    if (step < 0) std::reverse(out.begin(), out.end());
    return value(std::move(out));
  }

  value call(const value& what, const given& with) {
    if (const auto* macro = what.as<const macro_node*>()) return call_(**macro, with);
    const auto* known = what.as<builtin>();
    if (known == nullptr) fail(status::data, "calls ", kind_name(what));
    if (known->name == "range") return range_of(with, work_);
    if (known->name == "strftime_now")
      return value(fixed_date(detail::need_text(detail::need(with, 0, known->name), known->name)));
    if (known->name == "raise_exception")
      fail(status::data,
           "refuses: ", printable(detail::need_text(detail::need(with, 0, known->name), known->name), 200));
    if (!with.plain.empty()) fail(status::data, "namespace is understood with names alone");
    const value out(with.named);
    namespaces_.push_back(*out.as<std::shared_ptr<value_dict>>());
    return out;
  }

  // x.word(...): a method, or a function that a dictionary holds.
  value call_member(const expression& e) {
    const value on = compute(*e.of[0]);
    if (const value* member = on.find(e.word); member != nullptr) return call(*member, arguments(e));
    return method(e.word, on, arguments(e), work_);
  }

  value binary(const expression& e) {
    const std::string& o = e.word;
    const value a = compute(*e.of[0]);
    if (o == "and") return is_true(a) ? compute(*e.of[1]) : a;
    if (o == "or") return is_true(a) ? a : compute(*e.of[1]);
    const value b = compute(*e.of[1]);
    if (o == "in") return value::of_bool(contains(b, a, work_));
    if (o == "==") return value::of_bool(are_equal(a, b));
    if (o == "!=") return value::of_bool(!are_equal(a, b));
    if (o == "~") return value(text_of(a) + text_of(b));
    if (o == "+") return sum(a, b);
    if (o == "<" || o == ">" || o == "<=" || o == ">=") return value::of_bool(compare(o, a, b));
    return value::of_int(arithmetic(o[0], need_int(a), need_int(b)));
  }

  value sum(const value& a, const value& b) {
    if (a.text() != nullptr && b.text() != nullptr) return value(*a.text() + *b.text());
    if (a.list() != nullptr && b.list() != nullptr) {
      work_.spend(a.list()->size() + b.list()->size());
      value_list out = *a.list();
      out.insert(out.end(), b.list()->begin(), b.list()->end());
      return value(std::move(out));
    }
    if (a.as<std::int64_t>() == nullptr || b.as<std::int64_t>() == nullptr)
      fail(status::data, "adds ", kind_name(b), " to ", kind_name(a));
    return value::of_int(arithmetic('+', need_int(a), need_int(b)));
  }

  static bool compare(const std::string& o, const value& a, const value& b) {
    int order = 0;
    if (a.text() != nullptr && b.text() != nullptr) {
      order = a.text()->compare(*b.text());
    } else {
      const std::int64_t x = need_int(a), y = need_int(b);
      order = x < y ? -1 : x > y ? 1 : 0;
    }
    if (order == 0) return o.size() == 2;
    return (o[0] == '<') == (order < 0);
  }

  static std::int64_t need_int(const value& v) {
    if (const auto* n = v.as<std::int64_t>()) return *n;
    fail(status::data, "computes with ", kind_name(v));
  }

  // Numbers count messages; what is larger is no template's.
  static std::int64_t arithmetic(char o, std::int64_t a, std::int64_t b) {
    constexpr std::int64_t most = 1'000'000'000;
    const auto large = [](std::int64_t n) { return n > most || n < -most; };
    if (large(a) || large(b)) fail(status::data, "computes with numbers beyond a thousand million");
    if (o == '+') return a + b;
    if (o == '-') return a - b;
    if (o == '*') return a * b;
    if (b <= 0) fail(status::data, "divides by a number below one");
    const std::int64_t rest = (a % b + b) % b;
    return o == '%' ? rest : (a - rest) / b;
  }

  value collection(const expression& e) {
    value_list all;
    for (const expression_ptr& p : e.of) all.push_back(compute(*p));
    if (e.kind == expression::list) return value(std::move(all));
    value_dict out;
    for (std::size_t i = 0; i + 1 < all.size(); i += 2)
      out.emplace_back(detail::need_text(all[i], "a key"), std::move(all[i + 1]));
    return value(std::move(out));
  }

  budget& work_;
  macro_call call_;
  std::vector<std::map<std::string, value>> frames_;  // [0]: the template's own
  std::size_t floor_ = 0;                             // frames 1..floor_ - 1 are not seen
  std::vector<std::shared_ptr<value_dict>> namespaces_;
};

}  // namespace depthlens::chat
