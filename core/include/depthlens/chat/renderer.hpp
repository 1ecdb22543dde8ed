// SPDX-License-Identifier: Apache-2.0
// A parsed template at work: what it prints for some variables.
#pragma once

#include "depthlens/base/error.hpp"
#include "depthlens/base/utf8.hpp"
#include "depthlens/chat/budget.hpp"
#include "depthlens/chat/evaluator.hpp"
#include "depthlens/chat/syntax.hpp"
#include "depthlens/chat/value.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace depthlens::chat {

// One rendering. Errors: status::data, "line N: ..."
class renderer {
 public:
  explicit renderer(budget work)
      : work_(work),
        values_(work_, [this](const macro_node& m, const given& with) { return call(m, with); }) {}
  renderer(const renderer&) = delete;

  void set(const std::string& name, value v) { values_.set(name, std::move(v)); }

  std::string run(const statement_list& all) {
    std::string out;
    try {
      body(all, out);
    } catch (const error& e) {
      fail(e.code(), "line ", line_, ": ", e.what());
    }
    return out;
  }

 private:
  enum class flow { on, leave_loop, next_round };

  flow body(const statement_list& all, std::string& out) {
    const budget::level level(work_);
    for (const statement& s : all) {
      line_ = s.line;
      work_.spend(1);
      if (const flow f = one(s, out); f != flow::on) return f;
    }
    return flow::on;
  }

  flow one(const statement& s, std::string& out) {
    switch (s.kind) {
      case statement::text:
        work_.copy(s.word.size());
        out += s.word;
        break;
      case statement::output:
        out += text_of(values_.compute(*s.first));
        break;
      case statement::condition:
        for (const branch& b : s.branches)
          if (!b.condition || is_true(values_.compute(*b.condition))) return body(b.body, out);
        break;
      case statement::loop:
        loop(s, out);
        break;
      case statement::assign:
        assign(s);
        break;
      case statement::capture: {
        std::string printed;
        const flow f = body(s.branches[0].body, printed);
        values_.set(s.names[0], value(std::move(printed)));
        return f;
      }
      case statement::macro:
        values_.set(s.defined->name, value(s.defined.get()));
        break;
      case statement::break_loop:
        return flow::leave_loop;
      case statement::continue_loop:
        return flow::next_round;
    }
    return flow::on;
  }

  void assign(const statement& s) {
    value v = values_.compute(*s.first);
    if (s.member)
      values_.set_member(s.names[0], s.names[1], std::move(v));
    else
      bind(s.names, v);
  }

  // A list to several names.
  void bind(const std::vector<std::string>& names, const value& v) {
    if (names.size() == 1) return values_.set(names[0], v);
    if (v.list() == nullptr || v.list()->size() != names.size())
      fail(status::data, "gives ", kind_name(v), " to ", names.size(), " names");
    for (std::size_t i = 0; i < names.size(); ++i) values_.set(names[i], (*v.list())[i]);
  }

  void loop(const statement& s, std::string& out) {
    const value_list items = items_of(s);
    if (items.empty() && s.branches.size() > 1) body(s.branches[1].body, out);
    const auto n = static_cast<std::int64_t>(items.size());
    for (std::int64_t i = 0; i < n; ++i) {
      const evaluator::frame frame(values_, evaluator::frame::sight::open);
      const auto at = [&](std::int64_t k) {
        return k >= 0 && k < n ? items[static_cast<std::size_t>(k)] : value();
      };
      bind(s.names, at(i));
      values_.set("loop", value(value_dict{{"index", value::of_int(i + 1)},
                                           {"index0", value::of_int(i)},
                                           {"revindex", value::of_int(n - i)},
                                           {"revindex0", value::of_int(n - i - 1)},
                                           {"first", value::of_bool(i == 0)},
                                           {"last", value::of_bool(i + 1 == n)},
                                           {"length", value::of_int(n)},
                                           {"previtem", at(i - 1)},
                                           {"nextitem", at(i + 1)}}));
      if (body(s.branches[0].body, out) == flow::leave_loop) break;
    }
  }

  // Of a loop, those left out that its "if" does not take.
  value_list items_of(const statement& s) {
    const value of = values_.compute(*s.first);
    value_list all;
    if (of.list() != nullptr)
      all = *of.list();
    else if (of.dict() != nullptr)
      for (const auto& [key, v] : *of.dict()) all.emplace_back(key);
    else if (of.text() != nullptr)
      all = characters(*of.text());
    else if (!of.is_undefined())
      fail(status::data, "goes through ", kind_name(of));
    work_.spend(all.size());
    if (!s.second) return all;
    value_list out;
    for (value& v : all) {
      const evaluator::frame frame(values_, evaluator::frame::sight::open);
      bind(s.names, v);
      if (is_true(values_.compute(*s.second))) out.push_back(std::move(v));
    }
    return out;
  }

  value_list characters(const std::string& text) {
    value_list out;
    for (std::size_t at = 0, n = 0; at < text.size(); at += n) {
      n = utf8_at(text, at).size;
      work_.copy(64);
      out.emplace_back(text.substr(at, n));
    }
    return out;
  }

  value call(const macro_node& m, const given& with) {
    if (with.plain.size() > m.parameters.size()) fail(status::data, "gives ", m.name, " too many arguments");
    const std::size_t line = line_;
    const evaluator::frame frame(values_, evaluator::frame::sight::sealed);
    for (std::size_t i = 0; i < m.parameters.size(); ++i) {
      const auto& [name, fallback] = m.parameters[i];
      const value* v = with.at(i, name);
      values_.set(name, v != nullptr ? *v : fallback ? values_.compute(*fallback) : value());
    }
    std::string out;
    body(m.body, out);
    line_ = line;
    return value(std::move(out));
  }

  budget work_;
  evaluator values_;
  std::size_t line_ = 1;
};

}  // namespace depthlens::chat
