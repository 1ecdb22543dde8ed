// SPDX-License-Identifier: Apache-2.0
#include "glyphs.hpp"

#include "child_process.hpp"
#include "gnuplot_environment.hpp"
#include "process/stop_signal.hpp"

#include <depthlens/base/utf8.hpp>

#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <map>
#include <mutex>

namespace depthlens {
namespace {

constexpr std::size_t most_questions = 500;  // a process each

// In every version of Liberation Sans.
bool is_common(char32_t c) {
  return c < 0x180 || (c >= 0x386 && c <= 0x3CE) || (c >= 0x400 && c <= 0x45F) || c == 0x2013 ||
         c == 0x2014 || (c >= 0x2018 && c <= 0x201E) || c == 0x2022 || c == 0x2026 || c == 0x2190 ||
         c == 0x2192 || c == 0x2212 || c == 0x221E || c == 0x2260 || c == 0x2264 || c == 0x2265 ||
         c == 0x25A1;
}

bool ask(char32_t c) {
  std::array<char, 32> pattern{};
  std::snprintf(pattern.data(), pattern.size(), ":charset=%lx", static_cast<unsigned long>(c));
  child_process child({.words = {"fc-list", "-q", pattern.data()},
                       .environment = gnuplot_environment(environ),
                       .folder = "",
                       .files = {}});
  return child.error() == 0 && child.wait(std::chrono::seconds(10), stop_asked()) == 0;
}

bool can_be_drawn(char32_t c) {
  static std::mutex guard;
  static std::map<char32_t, bool> known;
  const std::lock_guard lock(guard);
  if (const auto found = known.find(c); found != known.end()) return found->second;
  if (known.size() >= most_questions) return false;
  return known[c] = ask(c);
}

}  // namespace

std::string drawable_text(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const utf8_character c = utf8_at(text, at);
    const bool drawable = !c.valid || is_common(c.value) || can_be_drawn(c.value);
    out += drawable ? text.substr(at, c.size) : "\xE2\x96\xA1";
    at += c.size;
  }
  return out;
}

}  // namespace depthlens
