// SPDX-License-Identifier: Apache-2.0
// A Jinja template parsed: if, for, set, macro, break, continue, and transformers' generation, which marks a
// part and prints it. Other statements are refused by name, and trees deeper than a hundred statements.
#pragma once

#include "depthlens/base/error.hpp"
#include "depthlens/base/text.hpp"
#include "depthlens/chat/expression_parser.hpp"
#include "depthlens/chat/lexer.hpp"
#include "depthlens/chat/syntax.hpp"

#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace depthlens::chat {

class template_parser {
 public:
  explicit template_parser(std::vector<segment> segments) : segments_(std::move(segments)) {}

  statement_list run() {
    statement_list out;
    body(out, {});
    return out;
  }

 private:
  static constexpr std::size_t most_levels = 100;

  // Statements up to one of the words in `ends`, at which segments_[at_] then is; all of them where there are
  // none. The errors' line is that of the segment.
  void body(statement_list& out, std::initializer_list<std::string_view> ends) {
    if (++level_ > most_levels) fail(status::data, "statements are nested more than 100 deep");
    for (; at_ < segments_.size(); ++at_) {
      const segment& s = segments_[at_];
      if (s.kind == segment::text) {
        out.push_back({.kind = statement::text, .line = s.line, .word = s.body});
        continue;
      }
      try {
        if (s.kind == segment::statement && std::find(ends.begin(), ends.end(), word_of(s)) != ends.end()) {
          --level_;
          return;
        }
        s.kind == segment::output ? output(out, s) : tag(out, s);
      } catch (const error& e) {
        if (std::string_view(e.what()).starts_with("line ")) throw;
        fail(e.code(), "line ", s.line, ": ", e.what());
      }
    }
    --level_;
    if (ends.size() > 0) fail(status::data, "the template ends before ", *ends.begin());
  }

  static std::string_view word_of(const segment& s) {
    return s.tokens[0].kind == token::name ? std::string_view(s.tokens[0].what) : std::string_view();
  }

  static void output(statement_list& out, const segment& s) {
    expression_parser p(s.tokens);
    out.push_back({.kind = statement::output, .line = s.line, .first = p.conditional()});
    p.need_end();
  }

  void tag(statement_list& out, const segment& s) {
    expression_parser p(s.tokens);
    const std::string word = p.any_name();
    if (word == "if") return condition(out, s, p);
    if (word == "for") return loop(out, s, p);
    if (word == "set") return assignment(out, s, p);
    if (word == "macro") return macro(out, s, p);
    if (word == "break" || word == "continue" || word == "generation") p.need_end();
    if (word == "break") return out.push_back({.kind = statement::break_loop, .line = s.line});
    if (word == "continue") return out.push_back({.kind = statement::continue_loop, .line = s.line});
    if (word != "generation") fail(status::data, "the statement ", printable(word, 40), " is not understood");
    ++at_;
    body(out, {"endgeneration"});
  }

  void condition(statement_list& out, const segment& s, expression_parser& p) {
    statement made{.kind = statement::condition, .line = s.line};
    branch now{.condition = p.conditional(), .body = {}};
    p.need_end();
    for (;;) {
      ++at_;
      now.condition ? body(now.body, {"endif", "elif", "else"}) : body(now.body, {"endif"});
      made.branches.push_back(std::move(now));
      now = {};
      expression_parser next(segments_[at_].tokens);
      const std::string word = next.any_name();
      if (word == "elif") now.condition = next.conditional();
      next.need_end();
      if (word == "endif") break;
    }
    out.push_back(std::move(made));
  }

  void loop(statement_list& out, const segment& s, expression_parser& p) {
    statement made{.kind = statement::loop, .line = s.line};
    do made.names.push_back(p.any_name());
    while (p.take_sign(","));
    p.need_name("in");
    made.first = p.either();
    if (p.take_name("if")) made.second = p.either();
    p.need_end();
    made.branches.resize(1);
    ++at_;
    body(made.branches[0].body, {"endfor", "else"});
    if (word_of(segments_[at_]) == "else") {
      made.branches.resize(2);
      ++at_;
      body(made.branches[1].body, {"endfor"});
    }
    out.push_back(std::move(made));
  }

  void assignment(statement_list& out, const segment& s, expression_parser& p) {
    statement made{.kind = statement::assign, .line = s.line};
    made.names.push_back(p.any_name());
    if (p.take_sign(".")) {
      made.member = true;
      made.names.push_back(p.any_name());
    } else {
      while (p.take_sign(",")) made.names.push_back(p.any_name());
    }
    if (p.at_end() && made.names.size() == 1) {
      made.kind = statement::capture;
      made.branches.resize(1);
      ++at_;
      body(made.branches[0].body, {"endset"});
    } else {
      p.need_sign("=");
      made.first = p.conditional();
      p.need_end();
    }
    out.push_back(std::move(made));
  }

  void macro(statement_list& out, const segment& s, expression_parser& p) {
    auto made = std::make_unique<macro_node>();
    made->name = p.any_name();
    p.need_sign("(");
    while (!p.take_sign(")")) {
      auto& [name, fallback] = made->parameters.emplace_back();
      name = p.any_name();
      if (p.take_sign("=")) fallback = p.conditional();
      if (!p.at_sign(")")) p.need_sign(",");
    }
    p.need_end();
    ++at_;
    body(made->body, {"endmacro"});
    out.push_back({.kind = statement::macro, .line = s.line, .defined = std::move(made)});
  }

  std::vector<segment> segments_;
  std::size_t at_ = 0, level_ = 0;
};

// Errors: status::data, "line N: ...".
inline statement_list parse_template(std::string_view text) {
  return template_parser(cut_template(text)).run();
}

}  // namespace depthlens::chat
