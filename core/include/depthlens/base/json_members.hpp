// SPDX-License-Identifier: Apache-2.0
// Members of a JSON object that may be missing or of another type, which is no error: for what the program
// wrote itself and reads again (run.json, what a child process says), where each reader knows what to do
// without. What a user's file must have is read by json.hpp (whole documents) and data/json_text.hpp (rows of
// data), whose errors name the place.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace depthlens {

// The value at a key; null where `in` is null or has none there. The others are null or empty, too, where the
// value is of another type.
inline const boost::json::value* value_at(const boost::json::object* in, std::string_view key) {
  return in != nullptr ? in->if_contains(key) : nullptr;
}
inline const boost::json::object* object_at(const boost::json::object* in, std::string_view key) {
  const boost::json::value* v = value_at(in, key);
  return v != nullptr ? v->if_object() : nullptr;
}
inline const boost::json::array* array_at(const boost::json::object* in, std::string_view key) {
  const boost::json::value* v = value_at(in, key);
  return v != nullptr ? v->if_array() : nullptr;
}
inline std::optional<std::string> text_at(const boost::json::object* in, std::string_view key) {
  const boost::json::value* v = value_at(in, key);
  if (v == nullptr || !v->is_string()) return std::nullopt;
  return std::string(v->get_string());
}
// A whole number that a 64-bit one can hold, also one that is written 3.0.
template <class Integer = std::uint64_t>
std::optional<Integer> number_at(const boost::json::object* in, std::string_view key) {
  const boost::json::value* v = value_at(in, key);
  if (v == nullptr || !v->is_number()) return std::nullopt;
  boost::system::error_code code;
  const auto n = v->to_number<Integer>(code);
  return code ? std::nullopt : std::optional(n);
}

}  // namespace depthlens
