// SPDX-License-Identifier: Apache-2.0
// The two ways across the C interface: exceptions become a status and a text on the way out (guarded), and a
// status and a text become a depthlens::error on the way in (checked_call).
#pragma once

#include "depthlens/abi/types.h"
#include "depthlens/base/error.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <exception>
#include <new>
#include <string_view>

namespace depthlens {

inline void write_error(dlens_error* out, status code, std::string_view text) noexcept {
  if (out == nullptr || !DLENS_HAS(dlens_error, out, message)) return;
  out->code = static_cast<dlens_status>(code);
  std::size_t n = std::min(text.size(), sizeof out->message - 1);
  const auto continues = [&](std::size_t i) { return (static_cast<unsigned char>(text[i]) & 0xc0) == 0x80; };
  while (n > 0 && n < text.size() && continues(n)) --n;  // at a character
  std::memcpy(out->message, text.data(), n);
  out->message[n] = '\0';
}

// Runs fn() and translates what it throws. For the body of every C function that can fail.
template <class Function>
dlens_status guarded(dlens_error* out, Function&& fn) noexcept {
  try {
    fn();
    return DLENS_OK;
  } catch (const error& e) {
    write_error(out, e.code(), e.what());
    return static_cast<dlens_status>(e.code());
  } catch (const std::bad_alloc&) {
    write_error(out, status::internal, "out of memory");
  } catch (const std::exception& e) {
    write_error(out, status::internal, e.what());
  } catch (...) {
    write_error(out, status::internal, "unknown exception");
  }
  return DLENS_INTERNAL;
}

// What a plugin says of a call that failed; internal where it has no name.
inline status status_of(dlens_status code) noexcept {
  switch (code) {
    case DLENS_USAGE:
    case DLENS_DATA:
    case DLENS_NO_INPUT:
    case DLENS_UNAVAILABLE:
    case DLENS_CANNOT_CREATE:
    case DLENS_IO:
    case DLENS_CANCELLED:
    case DLENS_NO_PERMISSION:
    case DLENS_CONFIG:
      return static_cast<status>(code);
    default:
      return status::internal;
  }
}

// Calls a C function whose last parameter is a dlens_error*; throws what it reports.
//   checked_call(sink->append, sink, table, values, n);
template <class Function, class... Arguments>
void checked_call(Function* fn, Arguments... arguments) {
  if (fn == nullptr) fail(status::internal, "the other side of the plugin interface lacks a function");
  dlens_error e{};
  e.size = sizeof e;
  const dlens_status code = fn(arguments..., &e);
  if (code == DLENS_OK) return;
  e.message[sizeof e.message - 1] = '\0';
  throw error(status_of(code), e.message[0] != '\0' ? e.message : "no reason was given");
}

// For a struct whose members change numbers: throws status::internal where its provider has set a member that
// this side does not know, behind those that it knows. (What is 0 there asks for nothing.)
template <class Struct>
void refuse_unknown_members(const Struct& given, std::string_view what) {
  if (DLENS_ASKS_MORE(Struct, &given))
    fail(status::internal, what,
         " asks for something of a newer interface, which is not understood here: a newer version is needed");
}

inline dlens_text to_text(std::string_view s) noexcept { return {s.data(), s.size()}; }
inline std::string_view to_view(dlens_text t) noexcept {
  return t.size == 0 ? std::string_view() : std::string_view(t.data, t.size);
}

}  // namespace depthlens
