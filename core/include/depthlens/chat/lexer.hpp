// SPDX-License-Identifier: Apache-2.0
// Cuts a Jinja template into texts, outputs {{ }} and statements {% %}, with white space around them taken
// off as transformers has it done (trim_blocks, lstrip_blocks, and the signs - and +), and what stands in
// them into tokens. Comments vanish.
#pragma once

#include "depthlens/base/error.hpp"
#include "depthlens/base/text.hpp"

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace depthlens::chat {

struct token {
  enum kind_type { name, integer, text, sign, end } kind = end;
  std::string what = {};  // the name, the sign, the text without quotes
  std::int64_t number = 0;
};

struct segment {
  enum kind_type { text, output, statement } kind = text;
  std::size_t line = 1;
  std::string body = {};           // of a text
  std::vector<token> tokens = {};  // of the others, closed by one of kind end
};

namespace detail {

inline bool is_blank_or_line_end(char c) noexcept { return c == ' ' || (c >= '\t' && c <= '\r'); }
inline bool is_name_start(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
inline bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

// The tokens from `at` on, up to the closing "}}" or "%}"; `at` is left on it or on the - or + before it.
class expression_lexer {
 public:
  expression_lexer(std::string_view all, std::size_t& at, std::string_view close)
      : all_(all), at_(at), close_(close) {}

  std::vector<token> run() {
    std::vector<token> out;
    std::size_t open = 0;  // brackets: "}}" within them closes dictionaries
    for (;;) {
      while (at_ < all_.size() && is_blank_or_line_end(all_[at_])) ++at_;
      if (at_ >= all_.size()) fail(status::data, "a tag is not closed by ", close_);
      if (open == 0 && closes()) break;
      out.push_back(next());
      const std::string& sign = out.back().what;
      if (out.back().kind != token::sign) continue;
      if (sign == "(" || sign == "[" || sign == "{") ++open;
      if ((sign == ")" || sign == "]" || sign == "}") && open > 0) --open;
    }
    out.push_back({});
    return out;
  }

 private:
  bool closes() const {
    const std::string_view rest = all_.substr(at_);
    return rest.starts_with(close_) ||
           ((rest[0] == '-' || rest[0] == '+') && rest.substr(1).starts_with(close_));
  }

  token next() {
    const char c = all_[at_];
    if (is_name_start(c)) {
      const std::size_t from = at_;
      while (at_ < all_.size() && (is_name_start(all_[at_]) || is_digit(all_[at_]))) ++at_;
      return {token::name, std::string(all_.substr(from, at_ - from))};
    }
    if (is_digit(c)) return number();
    if (c == '"' || c == '\'') return quoted();
    for (const std::string_view two : {"==", "!=", "<=", ">=", "//", "**"})
      if (all_.substr(at_).starts_with(two)) return sign(two);
    constexpr std::string_view signs = "+-*/%~<>=()[]{}.,:|";
    if (signs.find(c) == std::string_view::npos)
      fail(status::data, "no expression goes on with ", printable(all_.substr(at_), 20));
    return sign(all_.substr(at_, 1));
  }

  token sign(std::string_view s) {
    at_ += s.size();
    return {token::sign, std::string(s)};
  }

  token number() {
    std::int64_t n = 0;
    const auto [end, code] = std::from_chars(all_.data() + at_, all_.data() + all_.size(), n);
    if (code != std::errc()) fail(status::data, "a number is too large");
    at_ = static_cast<std::size_t>(end - all_.data());
    if (at_ + 1 < all_.size() && all_[at_] == '.' && is_digit(all_[at_ + 1]))
      fail(status::data, "numbers with a fraction are not understood");
    return {token::integer, {}, n};
  }

  token quoted() {
    const char quote = all_[at_++];
    std::string out;
    for (; at_ < all_.size() && all_[at_] != quote; ++at_) {
      if (all_[at_] != '\\' || at_ + 1 >= all_.size()) {
        out += all_[at_];
        continue;
      }
      const char c = all_[++at_];
      constexpr std::string_view plain = "\\'\"", letters = "ntr", meant = "\n\t\r";
      if (plain.find(c) != std::string_view::npos)
        out += c;
      else if (const auto k = letters.find(c); k != std::string_view::npos)
        out += meant[k];
      else if (c != '\n')  // which ends nothing
        fail(status::data, "the escape \\", printable(std::string_view(&c, 1)), " is not understood");
    }
    if (at_ >= all_.size()) fail(status::data, "a text in quotes has no end");
    ++at_;
    return {token::text, std::move(out)};
  }

  std::string_view all_;
  std::size_t& at_;
  std::string_view close_;
};

class template_lexer {
 public:
  explicit template_lexer(std::string_view all) : all_(all) {}

  std::vector<segment> run() {
    try {
      while (at_ < all_.size()) step();
      add_text(all_.size());
    } catch (const error& e) {
      fail(e.code(), "line ", line_, ": ", e.what());
    }
    return std::move(out_);
  }

 private:
  void step() {
    const std::size_t tag = all_.find('{', at_);
    if (tag == std::string_view::npos || tag + 1 >= all_.size()) {
      at_ = all_.size();
      return;
    }
    const char kind = all_[tag + 1];
    at_ = tag + 1;
    if (kind != '{' && kind != '%' && kind != '#') return;
    at_ = tag + 2;
    const char sign = at_ < all_.size() ? all_[at_] : ' ';
    std::size_t text_end = tag;
    if (sign == '-')
      while (text_end > text_from_ && is_blank_or_line_end(all_[text_end - 1])) --text_end;
    else if (kind != '{' && sign != '+')
      text_end = without_indent(tag);
    if (sign == '-' || (sign == '+' && kind != '{')) ++at_;
    add_text(text_end);
    count_lines(tag);
    if (kind == '#')
      skip_comment();
    else
      add_tag(kind == '{' ? segment::output : segment::statement, kind == '{' ? "}}" : "%}");
    after_tag(kind);
  }

  // Blanks between the start of the line and a statement go.
  std::size_t without_indent(std::size_t tag) const {
    std::size_t at = tag;
    while (at > text_from_ && (all_[at - 1] == ' ' || all_[at - 1] == '\t')) --at;
    const bool whole_line = at == 0 || all_[at - 1] == '\n';
    return whole_line ? at : tag;
  }

  void skip_comment() {
    const std::size_t end = all_.find("#}", at_);
    if (end == std::string_view::npos) fail(status::data, "a comment has no end");
    at_ = end > at_ && (all_[end - 1] == '-' || all_[end - 1] == '+') ? end - 1 : end;
  }

  void add_tag(segment::kind_type kind, std::string_view close) {
    segment s{.kind = kind, .line = line_};
    s.tokens = expression_lexer(all_, at_, close).run();
    out_.push_back(std::move(s));
  }

  // The end of a tag, and the white space behind it that goes.
  void after_tag(char kind) {
    const char sign = all_[at_];
    at_ += sign == '-' || sign == '+' ? 3 : 2;
    if (sign == '-')
      while (at_ < all_.size() && is_blank_or_line_end(all_[at_])) ++at_;
    else if (kind != '{' && sign != '+' && at_ < all_.size() && all_[at_] == '\n')
      ++at_;
    text_from_ = at_;
  }

  void add_text(std::size_t end) {
    if (end <= text_from_) return;
    out_.push_back({.kind = segment::text, .line = line_});
    out_.back().body = all_.substr(text_from_, end - text_from_);
  }

  void count_lines(std::size_t up_to) {
    for (; counted_ < up_to; ++counted_) line_ += all_[counted_] == '\n' ? 1 : 0;
  }

  std::string_view all_;
  std::size_t at_ = 0, text_from_ = 0, line_ = 1, counted_ = 0;
  std::vector<segment> out_;
};

}  // namespace detail

// Errors: status::data, "line N: ...".
inline std::vector<segment> cut_template(std::string_view text) {
  std::string lines;  // all ends of lines are "\n"; the last one does not count
  lines.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\r') {
      if (i + 1 < text.size() && text[i + 1] == '\n') continue;
      lines += '\n';
    } else {
      lines += text[i];
    }
  }
  if (lines.ends_with('\n')) lines.pop_back();
  return detail::template_lexer(lines).run();
}

}  // namespace depthlens::chat
