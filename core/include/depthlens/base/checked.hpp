// SPDX-License-Identifier: Apache-2.0
// Unsigned arithmetic that cannot wrap, for sizes and counts that come out of files: every add, multiply and
// conversion of such a number goes through here. A result that does not fit is
// depthlens::error(status::data). `where` says what was being computed: text, or a function that makes the
// text (called only on failure).
#pragma once

#include <concepts>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <type_traits>

#include "depthlens/base/error.hpp"

namespace depthlens {

namespace detail {

template <class Where>
[[noreturn]] void fail_checked(const Where& where, std::uint64_t a, const char* op, std::uint64_t b) {
  if constexpr (std::is_invocable_v<const Where&>) {
    fail(status::data, where(), ": ", a, op, b, " is too large");
  } else {
    fail(status::data, std::string_view(where), ": ", a, op, b, " is too large");
  }
}

}  // namespace detail

// a + b, or an error.
template <std::unsigned_integral T, class Where>
T checked_add(T a, std::type_identity_t<T> b, const Where& where) {
  if (b > std::numeric_limits<T>::max() - a) detail::fail_checked(where, a, " + ", b);
  return static_cast<T>(a + b);
}

// a * b, or an error.
template <std::unsigned_integral T, class Where>
T checked_mul(T a, std::type_identity_t<T> b, const Where& where) {
  if (a != 0 && b > std::numeric_limits<T>::max() / a) detail::fail_checked(where, a, " * ", b);
  return static_cast<T>(a * b);
}

// a - b, or an error if b > a.
template <std::unsigned_integral T, class Where>
T checked_sub(T a, std::type_identity_t<T> b, const Where& where) {
  if (b > a) detail::fail_checked(where, a, " - ", b);
  return static_cast<T>(a - b);
}

// a rounded up to a multiple of `to` (to > 0), or an error.
template <std::unsigned_integral T, class Where>
T checked_align(T a, std::type_identity_t<T> to, const Where& where) {
  const T rest = static_cast<T>(a % to);
  return rest == 0 ? a : checked_add(a, static_cast<T>(to - rest), where);
}

// a as a To, or an error if To cannot hold it.
template <std::integral To, std::unsigned_integral From, class Where>
To checked_narrow(From a, const Where& where) {
  constexpr auto top = static_cast<std::uint64_t>(std::numeric_limits<To>::max());
  if (static_cast<std::uint64_t>(a) > top) detail::fail_checked(where, a, " of at most ", top);
  return static_cast<To>(a);
}

}  // namespace depthlens
