// SPDX-License-Identifier: Apache-2.0
// The one error type of depthlens: a status, which is also the exit code of the program, and one line of text
// that says what was tried, with which file, line or offset, what was expected and what to do.
// The core throws it; it never prints, aborts or exits. At the C interface it becomes dlens_status
// + dlens_error.
#pragma once

#include <cstdint>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>

namespace depthlens {

// Values follow sysexits.h, so a status can be returned from main as it is.
enum class status : std::int32_t {
  ok = 0,
  partial = 1,         // finished, some prompts failed
  usage = 64,          // the command line is wrong
  data = 65,           // an input file is corrupt or not of the expected form
  no_input = 66,       // an input file, or a model in the cache, does not exist
  unavailable = 69,    // a backend, device or plugin is not available
  internal = 70,       // our own mistake, or a plugin's
  cannot_create = 73,  // an output cannot be created
  io = 74,             // reading or writing failed, e.g. the disk is full
  stopped = 75,        // stopped by a signal; all finished work is saved
  permission = 77,     // not allowed
  config = 78,         // the request conflicts with what is there, e.g. another run in the folder
};

class error : public std::runtime_error {
 public:
  error(status code, const std::string& message) : std::runtime_error(message), code_(code) {}
  status code() const noexcept { return code_; }

 private:
  status code_;
};

// Concatenates its arguments as operator<< prints them.
template <class... Parts>
std::string cat(Parts&&... parts) {
  std::ostringstream out;
  out.imbue(std::locale::classic());
  (out << ... << std::forward<Parts>(parts));
  return std::move(out).str();
}

// throw error(...) with the parts concatenated: fail(status::data, path, ": offset ", at, ": ...").
template <class... Parts>
[[noreturn]] void fail(status code, Parts&&... parts) {
  throw error(code, cat(std::forward<Parts>(parts)...));
}

}  // namespace depthlens
