// SPDX-License-Identifier: Apache-2.0
// The tokens of a tag as an expression, by Jinja's precedence. How deep expressions go is limited, so that no
// template costs more stack than is there.
#pragma once

#include "depthlens/base/error.hpp"
#include "depthlens/base/text.hpp"
#include "depthlens/chat/lexer.hpp"
#include "depthlens/chat/syntax.hpp"

#include <cstddef>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace depthlens::chat {

class expression_parser {
 public:
  // The tokens end with one of kind end and outlive the parser.
  explicit expression_parser(const std::vector<token>& tokens) : tokens_(tokens) {}

  expression_ptr conditional() {
    const deeper level(*this);
    expression_ptr out = either();
    while (take_name("if")) {
      expression_ptr condition = either(), otherwise;
      if (take_name("else")) otherwise = conditional();
      out = make({.kind = expression::conditional},
                 {std::move(condition), std::move(out), std::move(otherwise)});
    }
    return out;
  }
  // Without "if", which in {% for %} begins the filter.
  expression_ptr either() {
    expression_ptr out = both();
    while (take_name("or")) out = binary("or", std::move(out), both());
    return out;
  }

  bool at_name(std::string_view word) const { return now().kind == token::name && now().what == word; }
  bool at_sign(std::string_view s) const { return now().kind == token::sign && now().what == s; }
  bool take_name(std::string_view word) { return at_name(word) && step(); }
  bool take_sign(std::string_view s) { return at_sign(s) && step(); }
  void need_sign(std::string_view s) {
    if (!take_sign(s)) unexpected(s);
  }
  void need_name(std::string_view word) {
    if (!take_name(word)) unexpected(word);
  }
  std::string any_name() {
    if (now().kind != token::name) unexpected("a name");
    std::string out = now().what;
    step();
    return out;
  }
  bool at_end() const { return now().kind == token::end; }
  void need_end() const {
    if (!at_end()) unexpected("the end of the tag");
  }

 private:
  static constexpr std::size_t most_levels = 100;

  struct deeper {
    explicit deeper(expression_parser& p) : parser(p) {
      if (++parser.level_ > most_levels) fail(status::data, "expressions are nested more than 100 deep");
    }
    ~deeper() { --parser.level_; }
    deeper(const deeper&) = delete;
    expression_parser& parser;
  };

  const token& now() const { return tokens_[at_]; }
  bool step() {
    if (at_ + 1 < tokens_.size()) ++at_;
    return true;
  }
  [[noreturn]] void unexpected(std::string_view wanted) const {
    const token& t = now();
    fail(status::data, "expected ", wanted, ", not ",
         t.kind == token::end       ? "the end of the tag"
         : t.kind == token::integer ? std::to_string(t.number)
                                    : printable(t.what, 40));
  }

  template <std::size_t N>
  static expression_ptr make(expression e, expression_ptr (&&parts)[N]) {
    for (expression_ptr& p : parts) e.of.push_back(std::move(p));
    return std::make_unique<const expression>(std::move(e));
  }
  static expression_ptr constant(value v) {
    return std::make_unique<const expression>(
        expression{.kind = expression::literal, .constant = std::move(v)});
  }
  // A long row of operators is a deep tree.
  expression_ptr binary(std::string word, expression_ptr a, expression_ptr b) {
    if (++operators_ > most_operators) fail(status::data, "an expression has more than 200 operators");
    return make({.kind = expression::binary, .word = std::move(word)}, {std::move(a), std::move(b)});
  }
  expression_ptr negated(expression_ptr e) { return make({.kind = expression::negation}, {std::move(e)}); }

  expression_ptr both() {
    expression_ptr out = inverse();
    while (take_name("and")) out = binary("and", std::move(out), inverse());
    return out;
  }
  expression_ptr inverse() {
    const deeper level(*this);
    return take_name("not") ? negated(inverse()) : comparison();
  }
  expression_ptr comparison() {
    expression_ptr out = sum();
    for (;;) {
      if (const std::string s = take_one_of({"==", "!=", "<=", ">=", "<", ">"}); !s.empty()) {
        out = binary(s, std::move(out), sum());
      } else if (take_name("in")) {
        out = binary("in", std::move(out), sum());
      } else if (at_name("not") && tokens_[at_ + 1].kind == token::name && tokens_[at_ + 1].what == "in") {
        step(), step();
        out = negated(binary("in", std::move(out), sum()));
      } else {
        return out;
      }
    }
  }
  std::string take_one_of(std::initializer_list<const char*> signs) {
    for (const char* s : signs)
      if (take_sign(s)) return s;
    return {};
  }
  expression_ptr sum() {
    expression_ptr out = joined();
    for (std::string s; !(s = take_one_of({"+", "-"})).empty();) out = binary(s, std::move(out), joined());
    return out;
  }
  expression_ptr joined() {
    expression_ptr out = product();
    while (take_sign("~")) out = binary("~", std::move(out), product());
    return out;
  }
  expression_ptr product() {
    expression_ptr out = signed_value(true);
    for (std::string s; !(s = take_one_of({"*", "//", "%"})).empty();)
      out = binary(s, std::move(out), signed_value(true));
    return out;
  }
  expression_ptr signed_value(bool with_filters) {
    const deeper level(*this);
    expression_ptr out;
    if (take_sign("-"))
      out = make({.kind = expression::minus}, {signed_value(false)});
    else if (take_sign("+"))
      out = signed_value(false);
    else
      out = primary();
    out = with_postfix(std::move(out));
    return with_filters ? filtered(std::move(out)) : std::move(out);
  }

  expression_ptr primary() {
    const token t = now();
    if (t.kind == token::integer) return step(), constant(value::of_int(t.number));
    if (t.kind == token::text) {
      std::string all;
      for (; now().kind == token::text; step()) all += now().what;
      return constant(value(std::move(all)));
    }
    if (t.kind == token::name) return step(), named(t.what);
    if (take_sign("(")) return in_brackets();
    if (take_sign("[")) {
      expression out{.kind = expression::list};
      out.of = values_until("]");
      return std::make_unique<const expression>(std::move(out));
    }
    if (take_sign("{")) return dictionary();
    unexpected("a value");
  }
  static expression_ptr named(const std::string& word) {
    if (word == "true" || word == "True") return constant(value::of_bool(true));
    if (word == "false" || word == "False") return constant(value::of_bool(false));
    if (word == "none" || word == "None") return constant(value(none{}));
    return std::make_unique<const expression>(expression{.kind = expression::name, .word = word});
  }
  // (x), or (x, y), which is a list.
  expression_ptr in_brackets() {
    expression_ptr first = conditional();
    if (take_sign(")")) return first;
    need_sign(",");
    expression out{.kind = expression::list};
    out.of = values_until(")");
    out.of.insert(out.of.begin(), std::move(first));
    return std::make_unique<const expression>(std::move(out));
  }
  std::vector<expression_ptr> values_until(std::string_view close) {
    std::vector<expression_ptr> out;
    while (!take_sign(close)) {
      out.push_back(conditional());
      if (!at_sign(close)) need_sign(",");
    }
    return out;
  }
  expression_ptr dictionary() {
    expression out{.kind = expression::dict};
    while (!take_sign("}")) {
      out.of.push_back(conditional());
      need_sign(":");
      out.of.push_back(conditional());
      if (!at_sign("}")) need_sign(",");
    }
    return std::make_unique<const expression>(std::move(out));
  }

  expression_ptr with_postfix(expression_ptr out) {
    for (;;) {
      count_link();
      if (take_sign(".")) {
        std::string word = any_name();
        out = at_sign("(") ? called({.kind = expression::method, .word = std::move(word)}, std::move(out))
                           : make({.kind = expression::item}, {std::move(out), constant(value(word))});
      } else if (take_sign("[")) {
        out = subscript(std::move(out));
      } else if (at_sign("(")) {
        out = called({.kind = expression::call}, std::move(out));
      } else {
        return out;
      }
    }
  }
  expression_ptr called(expression e, expression_ptr on) {
    e.of.push_back(std::move(on));
    if (take_sign("(")) e.arguments = arguments();
    return std::make_unique<const expression>(std::move(e));
  }
  call_arguments arguments() {
    call_arguments out;
    while (!take_sign(")")) {
      if (now().kind == token::name && tokens_[at_ + 1].kind == token::sign && tokens_[at_ + 1].what == "=") {
        std::string key = any_name();
        need_sign("=");
        out.named.emplace_back(std::move(key), conditional());
      } else {
        out.plain.push_back(conditional());
      }
      if (!at_sign(")")) need_sign(",");
    }
    return out;
  }
  expression_ptr subscript(expression_ptr on) {
    expression_ptr parts[3];
    std::size_t n = 0;
    bool sliced = false;
    while (!take_sign("]")) {
      if (take_sign(":")) {
        sliced = true;
        if (++n > 2) unexpected("]");
      } else {
        if (parts[n]) unexpected("]");
        parts[n] = conditional();
      }
    }
    if (sliced)
      return make({.kind = expression::slice},
                  {std::move(on), std::move(parts[0]), std::move(parts[1]), std::move(parts[2])});
    if (!parts[0]) unexpected("an index");
    return make({.kind = expression::item}, {std::move(on), std::move(parts[0])});
  }

  expression_ptr filtered(expression_ptr out) {
    for (;;) {
      count_link();
      if (take_sign("|")) {
        out = called({.kind = expression::filter, .word = any_name()}, std::move(out));
      } else if (take_name("is")) {
        const bool inverted = take_name("not");
        out = tested(std::move(out));
        if (inverted) out = negated(std::move(out));
      } else {
        return out;
      }
    }
  }
  expression_ptr tested(expression_ptr on) {
    expression e{.kind = expression::test, .word = any_name()};
    const token& t = now();
    const bool goes_on =
        t.kind == token::name && (t.what == "else" || t.what == "or" || t.what == "and" || t.what == "if" ||
                                  t.what == "is" || t.what == "not" || t.what == "in");
    if (at_sign("(")) return called(std::move(e), std::move(on));
    if ((t.kind == token::name && !goes_on) || t.kind == token::text || t.kind == token::integer ||
        at_sign("["))
      e.arguments.plain.push_back(with_postfix(primary()));
    e.of.push_back(std::move(on));
    return std::make_unique<const expression>(std::move(e));
  }
  // x.a.b.c | f | g is a deep tree, too.
  void count_link() {
    if (++operators_ > 4 * most_operators) fail(status::data, "an expression is too long");
  }

  static constexpr std::size_t most_operators = 200;
  const std::vector<token>& tokens_;
  std::size_t at_ = 0, level_ = 0, operators_ = 0;
};

}  // namespace depthlens::chat
