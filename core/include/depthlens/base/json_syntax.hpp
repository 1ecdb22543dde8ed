// SPDX-License-Identifier: Apache-2.0
// Where a text stops being JSON and what should stand there: for the message once the parser has refused it.
// The parser alone decides what JSON is; this only looks for the words to say.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace depthlens::detail {

// The first fault of a text, by its offset, and what was expected there.
struct json_fault {
  std::size_t at;
  std::string_view expected;
};

class json_fault_finder {
 public:
  explicit json_fault_finder(std::string_view text) : text_(text) {}

  // Nothing where there is no fault of the kinds that are told here.
  std::optional<json_fault> find() {
    while (expected_.empty()) {
      skip_space();
      if (at_ < text_.size()) {
        step();
      } else if (want_ == want::nothing) {
        return std::nullopt;
      } else {
        fault();
      }
    }
    return json_fault{at_, expected_};
  }

 private:
  enum class want : std::uint8_t { value, value_or_close, key, key_or_close, colon, comma, nothing };

  void skip_space() {
    while (at_ < text_.size() && std::string_view(" \t\n\r").find(text_[at_]) != std::string_view::npos)
      ++at_;
  }

  std::string_view wanted() const {
    switch (want_) {
      case want::value:
        return "a value";
      case want::value_or_close:
        return "a value or \"]\"";
      case want::key:
        return "a key in double quotes";
      case want::key_or_close:
        return "a key in double quotes or \"}\"";
      case want::colon:
        return "\":\" after the key";
      case want::comma:
        return closers_.back() == '}' ? "\",\" or \"}\"" : "\",\" or \"]\"";
      case want::nothing:
        return "nothing after the value";
    }
    return "";
  }

  void step() {
    const char c = text_[at_];
    const bool may_close =
        want_ == want::value_or_close || want_ == want::key_or_close || want_ == want::comma;
    if (may_close && c == closers_.back()) {
      ++at_;
      closers_.pop_back();
      return value_ends();
    }
    switch (want_) {
      case want::value:
      case want::value_or_close:
        return value(c);
      case want::key:
      case want::key_or_close:
        if (c != '"') return fault();
        string();
        want_ = want::colon;
        return;
      case want::colon:
        if (c != ':') return fault();
        ++at_;
        want_ = want::value;
        return;
      case want::comma:
        if (c != ',') return fault();
        ++at_;
        want_ = closers_.back() == '}' ? want::key : want::value;
        return;
      case want::nothing:
        return fault();
    }
  }

  void fault() { expected_ = wanted(); }

  void value_ends() { want_ = closers_.empty() ? want::nothing : want::comma; }

  void value(char c) {
    if (c == '{' || c == '[') {
      ++at_;
      closers_ += c == '{' ? '}' : ']';
      want_ = c == '{' ? want::key_or_close : want::value_or_close;
    } else if (c == '"') {
      string();
      value_ends();
    } else if (c == '-' || (c >= '0' && c <= '9')) {
      number();
      value_ends();
    } else {
      for (const std::string_view word : {"true", "false", "null"}) {
        if (!text_.substr(at_).starts_with(word)) continue;
        at_ += word.size();
        return value_ends();
      }
      fault();
    }
  }

  void digits() {
    if (at_ >= text_.size() || text_[at_] < '0' || text_[at_] > '9') {
      if (expected_.empty()) expected_ = "a digit";
      return;
    }
    while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9') ++at_;
  }

  void number() {
    if (text_[at_] == '-') ++at_;
    if (at_ < text_.size() && text_[at_] == '0') {
      ++at_;
      if (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9')
        expected_ = "no digit after a leading 0";
    } else {
      digits();
    }
    if (expected_.empty() && at_ < text_.size() && text_[at_] == '.') {
      ++at_;
      digits();
    }
    if (expected_.empty() && at_ < text_.size() && (text_[at_] == 'e' || text_[at_] == 'E')) {
      ++at_;
      if (at_ < text_.size() && (text_[at_] == '+' || text_[at_] == '-')) ++at_;
      digits();
    }
  }

  void string() {
    for (++at_; at_ < text_.size() && expected_.empty(); ++at_) {
      const char c = text_[at_];
      if (c == '"') {
        ++at_;
        return;
      }
      if (static_cast<unsigned char>(c) < 0x20) {
        expected_ = "the closing \" of a string (a control character in one is written as \\n or \\u00NN)";
        return;
      }
      if (c != '\\') continue;
      if (++at_ >= text_.size()) break;
      if (std::string_view("\"\\/bfnrtu").find(text_[at_]) == std::string_view::npos) {
        expected_ = "one of \" \\ / b f n r t u after a backslash";
        return;
      }
    }
    if (expected_.empty()) expected_ = "the closing \" of a string";
  }

  std::string_view text_;
  std::size_t at_ = 0;
  want want_ = want::value;
  std::string closers_;
  std::string_view expected_;
};

}  // namespace depthlens::detail
