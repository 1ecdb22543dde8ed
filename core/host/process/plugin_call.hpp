// SPDX-License-Identifier: Apache-2.0
// Which function of which plugin each thread is in, so that one that crashes, ends the program or does not
// come back is named. Cheap enough for every call: some stores, no clock, no lock.
#pragma once

#include "process/signal_line.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace depthlens {

// A call is in flight as long as the object lives, which is as long as its block. [any thread]
class plugin_call {
 public:
  static constexpr std::int64_t no_record = -1;
  // kind: "experiment", "backend" or "plugin"; `function` is a string literal.
  plugin_call(std::string_view kind, std::string_view word, const char* function,
              std::int64_t record = no_record) noexcept;
  ~plugin_call();
  plugin_call(const plugin_call&) = delete;
  plugin_call& operator=(const plugin_call&) = delete;

  struct place {
    char who[72] = {};               // "experiment facts"
    const char* function = nullptr;  // null = in none
    std::int64_t record = no_record;
  };

 private:
  place before_;
};

// The word of the backend in use, for the calls of its model; "" = not known. [main]
void name_backend(std::string_view word);
std::string_view backend_name() noexcept;

// The rest is for signal handlers.

// The call that this thread is in; null = none.
const plugin_call::place* call_here() noexcept;
// Some call that another thread is in; null = none.
const plugin_call::place* call_elsewhere() noexcept;
// "experiment facts, consume, record 9"
signal_line& operator<<(signal_line& line, const plugin_call::place& call) noexcept;
std::string to_string(const plugin_call::place& call);  // not in a handler

// Looks at all calls once, and gives one that was there at each of the last `looks` looks; null = none. One
// handler at a time.
const plugin_call::place* overdue_call(unsigned looks) noexcept;

}  // namespace depthlens
