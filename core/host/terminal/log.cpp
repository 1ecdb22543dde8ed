// SPDX-License-Identifier: Apache-2.0
#include "terminal/log.hpp"

#include "depthlens/base/error.hpp"
#include "depthlens/base/text.hpp"

#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string>

namespace depthlens {
namespace {

std::atomic<bool> is_quiet{false};
std::mutex guard;
std::string status_line;

constexpr std::size_t kLongestMessage = 4000;  // bytes

// One message is one line that a terminal can show and that cannot steer it, whatever a file or a library put
// into it: control characters and bytes that are no UTF-8 become \\xNN. Of a long one the middle is left out.
std::string fit_for_a_line(std::string_view line) {
  std::string cut;
  if (line.size() > kLongestMessage) {
    constexpr std::size_t end = 1000;
    cut = cat(line.substr(0, kLongestMessage - end), " ... (", line.size() - kLongestMessage,
              " bytes left out) ... ", line.substr(line.size() - end));
    line = cut;
  }
  std::string out;
  for (std::size_t at = 0; at < line.size();) {
    const utf8_character c = utf8_at(line, at);
    const bool shown = c.valid && c.value >= 0x20 && (c.value < 0x7f || c.value >= 0xa0);
    for (std::size_t i = 0; i < c.size; ++i) {
      if (shown)
        out += line[at + i];
      else if (line[at + i] == '\n' || line[at + i] == '\r')
        out += ' ';
      else
        detail::append_hex_escape(out, static_cast<unsigned char>(line[at + i]));
    }
    at += c.size;
  }
  return out;
}

void write_line(std::string_view before, std::string_view line) {
  const std::lock_guard lock(guard);
  std::string out;
  if (!status_line.empty()) out += "\r\033[K";
  out += before;
  out += fit_for_a_line(line);
  out += '\n';
  out += status_line;
  std::fwrite(out.data(), 1, out.size(), stderr);
}

}  // namespace

void set_quiet(bool quiet) { is_quiet = quiet; }
bool quiet() { return is_quiet; }

void log_info(std::string_view line) {
  if (!is_quiet) write_line("depthlens: ", line);
}
void log_warning(std::string_view line) {
  write_line(use_colour() ? "depthlens: \033[33mwarning:\033[0m " : "depthlens: warning: ", line);
}
void log_error(std::string_view line) {
  write_line(use_colour() ? "depthlens: \033[31merror:\033[0m " : "depthlens: error: ", line);
}

bool stderr_is_terminal() {
  static const bool terminal = [] {
    const char* term = std::getenv("TERM");
    return ::isatty(STDERR_FILENO) != 0 && (term == nullptr || std::string_view(term) != "dumb");
  }();
  return terminal;
}

bool use_colour() {
  const char* none = std::getenv("NO_COLOR");
  return stderr_is_terminal() && (none == nullptr || *none == '\0');
}

void set_status_line(std::string_view text) {
  const std::lock_guard lock(guard);
  std::string out = "\r\033[K";
  out += text;
  if (!text.empty() || !status_line.empty()) std::fwrite(out.data(), 1, out.size(), stderr);
  status_line = text;
}

}  // namespace depthlens
