// SPDX-License-Identifier: Apache-2.0
// Strict JSON documents out of untrusted files, and typed access whose errors name file and key. Stricter
// than Boost.JSON's own parse(): duplicate keys, numbers beyond a double and trailing text are refused,
// decimals are rounded correctly. For configuration-sized files; rows of data are streamed by
// data/json_items.hpp, and what may be missing without an error is json_members.hpp.
#pragma once

#include <boost/json.hpp>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "depthlens/base/error.hpp"
#include "depthlens/base/json_parser.hpp"
#include "depthlens/base/mapped_file.hpp"
#include "depthlens/base/text.hpp"

namespace depthlens {

// One value of a document together with its place ("config.json: rope_scaling.factor"). Views the document.
// as_x: the value, or an error if it is of another type. find_x: a member of this object, empty if it is
// absent or null, an error if it is of another type; require_x: an error if absent or null. Integers take
// 4096 and 4096.0.
class json_view {
 public:
  json_view(const boost::json::value& value, std::string_view label, std::string where)
      : value_(&value), label_(label), where_(std::move(where)) {}

  const boost::json::value& value() const noexcept { return *value_; }
  std::string_view label() const noexcept { return label_; }
  const std::string& path() const noexcept { return where_; }  // of keys from the root, "" = the root
  bool is_null() const noexcept { return value_->is_null(); }
  bool is_object() const noexcept { return value_->is_object(); }
  bool is_string() const noexcept { return value_->is_string(); }

  const boost::json::object& as_object() const {
    if (!value_->is_object()) fail_type("an object");
    return value_->get_object();
  }
  const boost::json::array& as_array() const {
    if (!value_->is_array()) fail_type("an array");
    return value_->get_array();
  }
  std::string_view as_string() const {
    if (!value_->is_string()) fail_type("a string");
    return {value_->get_string().data(), value_->get_string().size()};
  }
  bool as_bool() const {
    if (!value_->is_bool()) fail_type("true or false");
    return value_->get_bool();
  }
  double as_double() const {
    if (value_->is_double()) return value_->get_double();
    if (value_->is_int64()) return static_cast<double>(value_->get_int64());
    if (value_->is_uint64()) return static_cast<double>(value_->get_uint64());
    fail_type("a number");
  }
  std::uint64_t as_u64() const {
    if (value_->is_uint64()) return value_->get_uint64();
    if (value_->is_int64() && value_->get_int64() >= 0)
      return static_cast<std::uint64_t>(value_->get_int64());
    // 2^53: above it a double no longer tells neighbouring integers apart.
    if (value_->is_double()) {
      const double d = value_->get_double();
      if (d >= 0 && d <= 9007199254740992.0 && d == std::floor(d)) return static_cast<std::uint64_t>(d);
    }
    fail_type("an integer of at least 0");
  }

  std::optional<json_view> find(std::string_view key) const {
    const boost::json::value* member = as_object().if_contains(key);
    if (member == nullptr || member->is_null()) return std::nullopt;
    return json_view(*member, label_, where_.empty() ? std::string(key) : cat(where_, ".", key));
  }
  json_view require(std::string_view key) const {
    if (auto member = find(key)) return *std::move(member);
    fail(status::data, place(), "\"", key, "\" is missing");
  }
  json_view at(std::size_t i) const { return {as_array().at(i), label_, cat(where_, "[", i, "]")}; }

  std::optional<std::uint64_t> find_u64(std::string_view key) const { return get(key, &json_view::as_u64); }
  std::optional<double> find_double(std::string_view key) const { return get(key, &json_view::as_double); }
  std::optional<bool> find_bool(std::string_view key) const { return get(key, &json_view::as_bool); }
  std::optional<std::string_view> find_string(std::string_view key) const {
    return get(key, &json_view::as_string);
  }
  std::uint64_t require_u64(std::string_view key) const { return require(key).as_u64(); }
  double require_double(std::string_view key) const { return require(key).as_double(); }
  std::string_view require_string(std::string_view key) const { return require(key).as_string(); }

  // "file: key: ", the start of an error about this value.
  // On one line, whatever the keys hold.
  std::string place() const {
    return where_.empty() ? cat(label_, ": ") : cat(label_, ": ", visible_line(where_), ": ");
  }

 private:
  template <class T>
  std::optional<T> get(std::string_view key, T (json_view::*as)() const) const {
    const auto member = find(key);
    if (!member) return std::nullopt;
    return ((*member).*as)();
  }

  [[noreturn]] void fail_type(const char* wanted) const {
    static constexpr const char* names[] = {"null",     "true or false", "an integer", "an integer",
                                            "a number", "a string",      "an array",   "an object"};
    const char* found = names[static_cast<int>(value_->kind())];
    const bool shown = value_->is_number();
    fail(status::data, place(), "is ", found, shown ? cat(" (", boost::json::serialize(*value_), ")") : "",
         ", expected ", wanted);
  }

  const boost::json::value* value_;
  std::string_view label_;
  std::string where_;
};

// A parsed document with the name it has in errors. Movable; views point into it. Thread-safe once
// constructed.
class json_document {
 public:
  // Errors: status::data as "<label>:<line>:<column>: ...", also when text is larger than limits.max_bytes.
  json_document(std::string_view text, std::string label, const json_limits& limits)
      : label_(std::make_unique<std::string>(std::move(label))),
        value_(std::make_unique<boost::json::value>(parse_json(text, *label_, limits))) {}

  // The document in a file. Errors: those of mapped_file too.
  static json_document from_file(const std::filesystem::path& path, const json_limits& limits) {
    const mapped_file file(path);
    const auto bytes = file.bytes();
    return {{reinterpret_cast<const char*>(bytes.data()), bytes.size()}, file.path(), limits};
  }

  const boost::json::value& value() const noexcept { return *value_; }
  json_view root() const { return {*value_, *label_, std::string()}; }

  // Removes a member of the root, or with dots one of an object within; a key that itself has dots is found
  // too. False where there is none. Views of the document end here.
  bool remove(std::string_view key) { return remove_from(*value_, key); }

 private:
  static bool remove_from(boost::json::value& from, std::string_view key) {
    if (!from.is_object()) return false;
    boost::json::object& object = from.get_object();
    if (object.erase(key) != 0) return true;
    const std::size_t dot = key.find('.');
    if (dot == std::string_view::npos) return false;
    boost::json::value* const within = object.if_contains(key.substr(0, dot));
    return within != nullptr && remove_from(*within, key.substr(dot + 1));
  }

  std::unique_ptr<std::string> label_;
  std::unique_ptr<boost::json::value> value_;
};

}  // namespace depthlens
