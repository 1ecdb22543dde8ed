// SPDX-License-Identifier: Apache-2.0
// The promises of all readers, checked on every input: a value or one depthlens::error of one line that names
// the file, and no more memory than a stated multiple of the bytes present. What a value must fulfil is each
// target's.
#pragma once

#include "depthlens/base/error.hpp"
#include "support/allocation_meter.hpp"

#include <cstddef>
#include <initializer_list>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace depthlens::fuzz {

// A finding that is no crash.
class broken_promise : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

template <class... Parts>
void promise(bool kept, const Parts&... parts) {
  if (!kept) throw broken_promise(cat(parts...));
}

// Reading n bytes may hold up to base + times * n bytes at once.
struct memory_limit {
  std::size_t times;
  std::size_t base = std::size_t{64} << 10;
};

inline void check_error(const error& e, std::string_view label, std::initializer_list<status> allowed) {
  const std::string_view text = e.what();
  bool right = false;
  for (const status s : allowed) right = right || e.code() == s;
  promise(right, "status ", static_cast<int>(e.code()), ": ", text);
  promise(text.find(label) != std::string_view::npos, "the error does not name the file: ", text);
  promise(text.find('\n') == std::string_view::npos, "the error has more than one line: ", text);
  promise(text.size() < 4096, "an error of ", text.size(), " bytes");
}

// The value of read(), or nothing where it threw a proper error. `size` is that of the input.
template <class Read>
auto read_cleanly(std::string_view label, std::size_t size, memory_limit limit, Read&& read,
                  std::initializer_list<status> allowed = {status::data}) -> std::optional<decltype(read())> {
  std::optional<decltype(read())> out;
  const test::allocation_meter meter;
  try {
    out.emplace(read());
  } catch (const error& e) {
    check_error(e, label, allowed);
  }
  promise(meter.peak() <= limit.base + limit.times * size, "reading ", size, " bytes took ", meter.peak(),
          " bytes of memory, at most ", limit.times, " * size + ", limit.base, " are promised");
  return out;
}

// Runs an accessor that may refuse what the file holds.
template <class Action>
void allow_refusal(std::string_view label, Action&& action) {
  try {
    action();
  } catch (const error& e) {
    check_error(e, label, {status::data});
  }
}

// Reads each byte, so that a view that leaves its file is seen by the sanitizer.
inline unsigned touch(const void* data, std::size_t n) {
  const auto* const bytes = static_cast<const volatile unsigned char*>(data);
  unsigned sum = 0;
  for (std::size_t i = 0; i < n; ++i) sum += bytes[i];
  return sum;
}

}  // namespace depthlens::fuzz
