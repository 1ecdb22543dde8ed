// SPDX-License-Identifier: Apache-2.0
// The parser behind json.hpp: Boost.JSON's event parser with a handler that builds the value and adds the
// checks Boost.JSON leaves out. Links libboost_json.
#pragma once

#include <boost/json.hpp>
#include <boost/json/basic_parser_impl.hpp>
#include <boost/system/error_code.hpp>
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "depthlens/base/error.hpp"
#include "depthlens/base/json_syntax.hpp"
#include "depthlens/base/text.hpp"

namespace depthlens {

// What a document may cost. A value takes about 25 times its two smallest bytes, so max_values bounds the
// memory.
struct json_limits {
  std::size_t max_bytes = std::size_t{16} << 20;
  std::size_t max_values = std::numeric_limits<std::size_t>::max();
};

namespace detail {

// Event handler of boost::json::basic_parser. A check that fails leaves its text in `problem` and stops the
// parser.
class json_handler {
 public:
  static constexpr std::size_t max_object_size = std::numeric_limits<std::uint32_t>::max() / 2;
  static constexpr std::size_t max_array_size = max_object_size;
  static constexpr std::size_t max_key_size = std::size_t{1} << 20;
  static constexpr std::size_t max_string_size = std::size_t{1} << 30;
  using text = boost::json::string_view;
  using code = boost::system::error_code;

  explicit json_handler(std::size_t max_values) : values_left_(max_values) {}

  std::string problem;
  boost::json::value release() { return stack_.release(); }

  bool on_document_begin(code&) {
    stack_.reset();
    return true;
  }
  bool on_document_end(code&) { return true; }
  bool on_object_begin(code& ec) {
    open_.push_back(keys_.size());
    return count(ec);
  }
  bool on_object_end(std::size_t n, code& ec) {
    if (!check_keys(ec)) return false;
    stack_.push_object(n);
    return true;
  }
  bool on_array_begin(code& ec) { return count(ec); }
  bool on_array_end(std::size_t n, code&) {
    stack_.push_array(n);
    return true;
  }
  bool on_key_part(text part, std::size_t, code&) {
    partial_key_.append(part.data(), part.size());
    stack_.push_chars(part);
    return true;
  }
  bool on_key(text part, std::size_t, code&) {
    partial_key_.append(part.data(), part.size());
    keys_.push_back(std::move(partial_key_));
    partial_key_.clear();
    stack_.push_key(part);
    return true;
  }
  bool on_string_part(text part, std::size_t, code&) {
    stack_.push_chars(part);
    return true;
  }
  bool on_string(text part, std::size_t, code& ec) {
    stack_.push_string(part);
    return count(ec);
  }
  bool on_number_part(text, code&) { return true; }
  // "-0" is a double, so that readers which ask for a count can refuse it.
  bool on_int64(std::int64_t number, text digits, code& ec) {
    if (number == 0 && digits.starts_with('-')) {
      stack_.push_double(-0.0);
    } else {
      stack_.push_int64(number);
    }
    return count(ec);
  }
  bool on_uint64(std::uint64_t number, text, code& ec) {
    stack_.push_uint64(number);
    return count(ec);
  }
  // Boost.JSON's own conversion may be off by one unit in the last place, so the digits are read again.
  bool on_double(double number, text digits, code& ec) {
    double exact = 0;
    const char* end = digits.data() + digits.size();
    const auto read = std::from_chars(digits.data(), end, exact);
    if (read.ec == std::errc() && read.ptr == end) number = exact;
    if (!std::isfinite(number)) return stop(ec, "a number beyond the range of a double");
    stack_.push_double(number);
    return count(ec);
  }
  bool on_bool(bool value, code& ec) {
    stack_.push_bool(value);
    return count(ec);
  }
  bool on_null(code& ec) {
    stack_.push_null();
    return count(ec);
  }
  bool on_comment_part(text, code&) { return true; }
  bool on_comment(text, code&) { return true; }

 private:
  bool stop(code& ec, std::string why) {
    problem = std::move(why);
    ec = boost::json::error::syntax;
    return false;
  }

  bool count(code& ec) {
    if (values_left_ == 0) return stop(ec, "more values than such a file can have");
    --values_left_;
    return true;
  }

  // The keys of the object that ends now are the tail of keys_; sorting finds equal ones whatever they hash
  // to.
  bool check_keys(code& ec) {
    const auto first = keys_.begin() + static_cast<std::ptrdiff_t>(open_.back());
    std::sort(first, keys_.end());
    const auto twice = std::adjacent_find(first, keys_.end());
    if (twice != keys_.end()) return stop(ec, cat("key ", printable(*twice), " occurs twice in this object"));
    keys_.erase(first, keys_.end());
    open_.pop_back();
    return true;
  }

  boost::json::value_stack stack_;
  std::vector<std::string> keys_;  // of all objects that are open, outermost first
  std::vector<std::size_t> open_;  // where the keys of each open object begin
  std::string partial_key_;
  std::size_t values_left_;
};

// A place in a text: both from 1, the column in bytes.
struct text_place {
  std::uint64_t line, column;
};

inline text_place place_in_text(std::string_view text, std::size_t at) {
  const std::string_view before = text.substr(0, at);
  const auto line = static_cast<std::uint64_t>(std::count(before.begin(), before.end(), '\n'));
  const std::size_t start = before.rfind('\n');
  const std::size_t column = start == std::string_view::npos ? before.size() : before.size() - start - 1;
  return {line + 1, column + 1};
}

// Why a text is refused, and where in it.
struct json_trouble {
  std::size_t at;
  std::string text;
};

// What the parser, which stopped at `at`, has to say of its text, in words that say what was expected; also
// of what Python writes and JSON does not have.
inline json_trouble describe_json_error(std::string_view text, std::size_t at,
                                        const boost::system::error_code& ec) {
  for (const std::string_view word : {"NaN", "-Infinity", "Infinity"}) {
    for (std::size_t back = 0; back <= 2 && back <= at; ++back) {
      if (text.substr(at - back, word.size()) == word)
        return {at - back, cat(word, " is not JSON; write null or a number")};
    }
  }
  if (text.starts_with("\xef\xbb\xbf"))
    return {0, "the file starts with a byte order mark, which JSON does not allow; save it without one"};
  const auto fault = json_fault_finder(text).find();
  if (at >= text.size()) {
    return {at, cat("the text ends too early: the file is truncated",
                    fault ? cat("; expected ", fault->expected) : std::string())};
  }
  if (ec == boost::json::error::too_deep)
    return {at, cat("not valid JSON: too deep; expected at most 32 levels of lists and objects")};
  if (fault && fault->at <= at + 1 && fault->at < text.size()) {
    return {fault->at, cat("not valid JSON: found ", printable(text.substr(fault->at, 1)), ", expected ",
                           fault->expected)};
  }
  return {at, cat("not valid JSON: ", ec.message())};
}

}  // namespace detail

// The whole of `text` as one JSON value, nesting at most 32. Errors: status::data as
// "<label>:<line>:<column>: ...".
inline boost::json::value parse_json(std::string_view text, std::string_view label,
                                     const json_limits& limits) {
  if (text.size() > limits.max_bytes) {
    fail(status::data, label, ": ", text.size(), " bytes of JSON, at most ", limits.max_bytes,
         " are allowed");
  }
  boost::json::basic_parser<detail::json_handler> parser(boost::json::parse_options(), limits.max_values);
  boost::system::error_code ec;
  std::size_t used = parser.write_some(false, text.data(), text.size(), ec);
  const std::string& problem = parser.handler().problem;
  detail::json_trouble trouble{used, problem};
  if (!ec && used < text.size())
    trouble.text = "text after the end of the value; expected the end of the file";
  else if (problem.empty() && ec)
    trouble = detail::describe_json_error(text, used, ec);
  if (trouble.text.empty()) return parser.handler().release();
  const detail::text_place place = detail::place_in_text(text, trouble.at);
  fail(status::data, label, ":", place.line, ":", place.column, ": ", trouble.text);
}

}  // namespace depthlens
