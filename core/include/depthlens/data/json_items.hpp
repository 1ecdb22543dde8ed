// SPDX-License-Identifier: Apache-2.0
// A JSON file of many items read one item at a time: the elements of a list, the members of an object, or one
// object per line. Memory is that of one item, whatever the size of the file. Strict: nesting up to 32, no
// duplicate keys, no number that does not fit a double, no NaN, no byte order mark, UTF-8 only. Every error says
// file and line. What the items mean is left to the readers of each format.
#pragma once

#include <depthlens/data/byte_source.hpp>

#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/value.hpp>
#include <boost/json/value_stack.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace depthlens {

namespace detail {

// Builds a value from the events of Boost's parser and refuses what that parser would let pass silently: a second
// member of the same name (the last would win) and numbers beyond the range of a double (they would be infinite).
class strict_json_handler {
 public:
  static constexpr std::size_t max_object_size = max_item_bytes, max_array_size = max_item_bytes;
  static constexpr std::size_t max_key_size = max_item_bytes, max_string_size = max_item_bytes;
  using error_code = boost::json::error_code;
  using string_view = boost::json::string_view;

  std::string refusal;  // set where an event was refused

  bool on_document_begin(error_code&) { return true; }
  bool on_document_end(error_code&) { return true; }
  bool on_array_begin(error_code&) { return true; }
  bool on_array_end(std::size_t n, error_code&) { return stack_.push_array(n), true; }
  bool on_object_begin(error_code&) { return open_.push_back(keys_.size()), true; }
  bool on_object_end(std::size_t n, error_code& ec) {
    const auto first = keys_.begin() + static_cast<std::ptrdiff_t>(open_.back());
    std::sort(first, keys_.end());
    const auto twice = std::adjacent_find(first, keys_.end());
    if (twice != keys_.end()) return refuse("the key \"" + *twice + "\" is there twice in one object", ec);
    keys_.erase(first, keys_.end());
    open_.pop_back();
    return stack_.push_object(n), true;
  }
  bool on_key_part(string_view s, std::size_t, error_code&) { return add_key(s), stack_.push_chars(s), true; }
  bool on_key(string_view s, std::size_t, error_code&) {
    add_key(s);
    keys_.push_back(std::move(key_));
    key_.clear();
    return stack_.push_key(s), true;
  }
  bool on_string_part(string_view s, std::size_t, error_code&) { return stack_.push_chars(s), true; }
  bool on_string(string_view s, std::size_t, error_code&) { return stack_.push_string(s), true; }
  bool on_number_part(string_view s, error_code&) { return number_.append(s.data(), s.size()), true; }
  bool on_int64(std::int64_t i, string_view, error_code&) { return number_.clear(), stack_.push_int64(i), true; }
  bool on_uint64(std::uint64_t u, string_view, error_code&) { return number_.clear(), stack_.push_uint64(u), true; }
  // Boost's own conversion may be off in the last digit, so the digits are converted again, exactly.
  bool on_double(double rough, string_view s, error_code& ec) {
    number_.append(s.data(), s.size());
    double exact = rough;
    const auto [end, code] = std::from_chars(number_.data(), number_.data() + number_.size(), exact);
    if (end != number_.data() + number_.size()) exact = rough;
    if (code == std::errc::result_out_of_range) exact = std::isfinite(rough) && std::abs(rough) < 1 ? 0.0 : HUGE_VAL;
    if (!std::isfinite(exact)) return refuse("the number " + number_.substr(0, 40) + " is out of range", ec);
    number_.clear();
    return stack_.push_double(exact), true;
  }
  bool on_bool(bool b, error_code&) { return stack_.push_bool(b), true; }
  bool on_null(error_code&) { return stack_.push_null(), true; }
  bool on_comment_part(string_view, error_code&) { return true; }
  bool on_comment(string_view, error_code&) { return true; }

  void reset() {
    stack_.reset();
    open_.clear();
    keys_.clear();
    key_.clear();
    number_.clear();
    refusal.clear();
  }
  boost::json::value release() { return stack_.release(); }

 private:
  void add_key(string_view s) { key_.append(s.data(), s.size()); }
  bool refuse(std::string why, error_code& ec) {
    refusal = std::move(why);
    ec = boost::json::make_error_code(boost::json::error::exception);
    return false;
  }

  boost::json::value_stack stack_;
  std::vector<std::size_t> open_;  // for each open object, where its keys begin in keys_
  std::vector<std::string> keys_;
  std::string key_, number_;
};

}  // namespace detail

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
      source_.fail_at(source_.line(), "expected ", form_ == json_form::list ? "a JSON list, \"[\"" : "a JSON object, \"{\"",
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

  // Throws status::data "FILE:LINE: row N: ...", N from 0 as in the "index" of records.
  template <class... Parts>
  [[noreturn]] void fail_item(Parts&&... parts) const {
    source_.fail_at(item_line_, form_ == json_form::members ? "entry " : "row ", read_ - 1, ": ", parts...);
  }

 private:
  static bool is_space(int c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
  void skip_space() {
    while (is_space(source_.peek())) source_.get();
  }

  bool take_line() {
    do {
      item_line_ = source_.line();
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
      if (source_.peek() == close) source_.fail_at(source_.line(), "a comma before the closing \"", close, "\"");
    } else if (source_.peek() == close) {
      source_.get();
      skip_space();
      if (source_.peek() >= 0) source_.fail_at(source_.line(), "text after the closing \"", close, "\"");
      return false;
    } else if (read_ > 0) {
      fail_end("\",\" or the closing bracket");
    }
    if (form_ == json_form::members) take_key();
    item_line_ = source_.line();
    copy_value();
    return true;
  }

  void take_key() {
    if (source_.peek() != '"') fail_end("a key in double quotes");
    item_line_ = source_.line();
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
    source_.fail_at(source_.line(), end ? "the file ends, it is cut short: expected " : "not JSON: expected ", expected);
  }

  boost::json::value parse() {
    boost::json::error_code ec;
    parser_.reset();
    parser_.handler().reset();
    const std::size_t used = parser_.write_some(false, text_.data(), text_.size(), ec);
    const std::string_view rest = std::string_view(text_).substr(std::min(used, text_.size()));
    const bool more = rest.find_first_not_of(" \t\r\n") != std::string_view::npos;
    if (!ec && !more) return parser_.handler().release();
    std::uint64_t line = item_line_;
    line += static_cast<std::uint64_t>(std::count(text_.begin(), text_.end() - static_cast<std::ptrdiff_t>(rest.size()), '\n'));
    const std::string& refusal = parser_.handler().refusal;
    if (!refusal.empty()) source_.fail_at(line, refusal);
    // Python's json.dump writes these where a value is missing.
    for (const std::string_view word : {"NaN", "Infinity", "-Infinity"})
      if (rest.starts_with(word)) source_.fail_at(line, word, " is not JSON; write null");
    source_.fail_at(line, "not JSON: ", ec ? ec.message() : std::string("text after the end of the value"));
  }

  byte_source source_;
  json_form form_;
  bool done_ = false;
  std::uint64_t item_line_ = 1, read_ = 0;
  std::string text_, key_;
  boost::json::basic_parser<detail::strict_json_handler> parser_{boost::json::parse_options{}};
};

}  // namespace depthlens
