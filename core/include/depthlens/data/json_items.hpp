// SPDX-License-Identifier: Apache-2.0
// A JSON file of many items read one item at a time: the elements of a list, the members of an object, or one
// object per line. Memory is that of one item, whatever the size of the file. Strict: nesting up to 32, no
// duplicate keys, no number beyond a double, no NaN, no byte order mark, UTF-8 only. Every error says file
// and line. One item is judged by json_parser.hpp; what the items mean is left to the readers of each format.
#pragma once

#include <depthlens/base/byte_source.hpp>
#include <depthlens/base/json_parser.hpp>

#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/value.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace depthlens {

// One item may hold so many values (numbers, texts, lists, ...), which bounds its memory to about 24 MiB.
inline constexpr std::size_t max_item_values = std::size_t{1} << 20;

// The form of the whole file.
enum class json_form {
  list,     // [item, item, ...]
  members,  // {"key": item, ...}
  lines,    // item newline item newline ...; blank lines are passed over
};

// One file, one thread. Not copyable.
class json_items {
 public:
  json_items(const std::filesystem::path& path, json_form form) : source_(path), form_(form) {
    if (form_ == json_form::lines) return;
    const char open = form_ == json_form::list ? '[' : '{';
    skip_space();
    if (source_.peek() != open)
      source_.fail_here("expected ", form_ == json_form::list ? "a JSON list, \"[\"" : "a JSON object, \"{\"",
                        ", at the start of the file");
    source_.get();
  }

  // The next item; false at the end of the file. Throws status::data "FILE:LINE: ..." and status::io.
  bool next(boost::json::value& out) {
    if (done_ || !(form_ == json_form::lines ? take_line() : take_item())) return done_ = true, false;
    out = parse();
    ++read_;
    return true;
  }

  std::uint64_t line() const noexcept { return item_line_; }  // where the item of the last next() begins
  std::uint64_t read() const noexcept { return read_; }       // number of items so far
  const std::string& key() const noexcept { return key_; }    // json_form::members: the item's key
  const std::string& name() const noexcept { return source_.name(); }

  // Throws status::data "FILE:LINE:COLUMN: row N: ...", N from 0 as in the "index" of records.
  template <class... Parts>
  [[noreturn]] void fail_item(Parts&&... parts) const {
    fail(status::data, source_.name(), ":", item_line_, ":", item_column_,
         form_ == json_form::members ? ": entry " : ": row ", read_ - 1, ": ", parts...);
  }

 private:
  static bool is_space(int c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
  void skip_space() {
    while (is_space(source_.peek())) source_.get();
  }

  void mark_item() {
    item_line_ = source_.line();
    item_column_ = source_.column();
  }

  bool take_line() {
    do {
      mark_item();
      if (!source_.get_line(text_)) return false;
    } while (std::all_of(text_.begin(), text_.end(), [](char c) { return is_space(c); }));
    return true;
  }

  // Copies the bytes of the next item to text_; false after the closing bracket.
  bool take_item() {
    const char close = form_ == json_form::list ? ']' : '}';
    skip_space();
    if (read_ > 0 && source_.peek() == ',') {
      source_.get();
      skip_space();
      if (source_.peek() == close)
        source_.fail_here("a comma before the closing \"", close, "\"; expected another item");
    } else if (source_.peek() == close) {
      source_.get();
      skip_space();
      if (source_.peek() >= 0)
        source_.fail_here("text after the closing \"", close, "\"; expected the end of the file");
      return false;
    } else if (read_ > 0) {
      fail_end("\",\" or the closing bracket");
    }
    if (form_ == json_form::members) take_key();
    mark_item();
    copy_value();
    return true;
  }

  void take_key() {
    if (source_.peek() != '"') fail_end("a key in double quotes");
    mark_item();
    copy_value();
    const boost::json::value key = parse();
    key_.assign(key.get_string().data(), key.get_string().size());
    skip_space();
    if (source_.peek() != ':') fail_end("\":\" after a key");
    source_.get();
    skip_space();
  }

  // Copies up to where the value that begins here must end if it is JSON. The parser judges it afterwards.
  void copy_value() {
    text_.clear();
    std::uint64_t depth = 0;
    bool in_string = false;
    for (;;) {
      const int c = source_.peek();
      if (c < 0) fail_end("the rest of the JSON");
      if (!in_string && depth == 0 && (c == ',' || c == ']' || c == '}' || c == ':' || is_space(c))) break;
      text_.push_back(static_cast<char>(source_.get()));
      if (text_.size() > max_item_bytes) source_.fail_at(item_line_, "the item is longer than 16 MiB");
      if (in_string) {
        if (c == '\\' && source_.peek() >= 0) text_.push_back(static_cast<char>(source_.get()));
        in_string = c != '"';
      } else {
        in_string = c == '"';
        depth += c == '{' || c == '[';
        depth -= c == '}' || c == ']';
      }
      if (!in_string && depth == 0 && (c == '"' || c == '}' || c == ']')) break;
    }
    if (text_.empty()) fail_end("a value");
    source_.check_utf8(text_, item_line_);
  }

  [[noreturn]] void fail_end(std::string_view expected) {
    const bool end = source_.peek() < 0;
    source_.fail_here(end ? "the file ends, it is cut short: expected " : "not JSON: expected ", expected);
  }

  boost::json::value parse() const {
    boost::json::basic_parser<detail::json_handler> parser(boost::json::parse_options(), max_item_values);
    boost::json::error_code ec;
    const std::size_t used = parser.write_some(false, text_.data(), text_.size(), ec);
    const std::string& problem = parser.handler().problem;
    if (!ec && problem.empty() && text_.find_first_not_of(" \t\r\n", used) == std::string::npos)
      return parser.handler().release();
    detail::json_trouble trouble{used, problem};
    if (problem.empty() && !ec)
      trouble.text = "text after the end of the value; expected the next item";
    else if (problem.empty() && form_ == json_form::lines && used >= text_.size())
      trouble.text = "the line ends inside a JSON value; expected one whole object per line";
    else if (problem.empty())
      trouble = detail::describe_json_error(text_, used, ec);
    const detail::text_place place = detail::place_in_text(text_, trouble.at);
    fail(status::data, source_.name(), ":", item_line_ + place.line - 1, ":",
         place.column + (place.line == 1 ? item_column_ - 1 : 0), ": ", trouble.text);
  }

  byte_source source_;
  json_form form_;
  bool done_ = false;
  std::uint64_t item_line_ = 1, item_column_ = 1, read_ = 0;
  std::string text_, key_;
};

}  // namespace depthlens
