// SPDX-License-Identifier: Apache-2.0
#include "terminal/log.hpp"

#include "depthlens/base/error.hpp"
#include "depthlens/base/text.hpp"

#include <boost/json.hpp>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string>

namespace depthlens {
namespace {

std::atomic<bool> is_quiet{false};
std::atomic<progress_form> form{progress_form::automatic};
std::mutex guard;
std::string status_line;

constexpr std::size_t longest_message = 4000;  // bytes

// One message is one line that a terminal can show and that cannot steer it, whatever a file or a library put
// into it: control characters and bytes that are no UTF-8 become \\xNN. Of a long one the middle is left out.
std::string fit_for_a_line(std::string_view message) {
  std::string line(message);
  if (message.size() > longest_message) {
    constexpr std::size_t end = 1000;
    line = cat(message.substr(0, longest_message - end), " ... (", message.size() - longest_message,
               " bytes left out) ... ", message.substr(message.size() - end));
  }
  for (char& c : line)
    if (c == '\n' || c == '\r') c = ' ';
  return detail::escape_bytes(
      line, [](const utf8_character& c, std::size_t) { return !c.valid || detail::is_control(c.value); });
}

void write_object(std::string_view event, const boost::json::object& members) {
  boost::json::object all{{"event", event}};
  all.insert(members.begin(), members.end());
  const std::string out = boost::json::serialize(all) + '\n';
  const std::lock_guard lock(guard);
  std::fwrite(out.data(), 1, out.size(), stderr);
}

void write_line(std::string_view event, std::string_view before, std::string_view line) {
  if (form == progress_form::json) return write_object(event, {{"text", fit_for_a_line(line)}});
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

void set_progress(progress_form asked) { form = asked; }
progress_form progress_asked() { return form; }

void log_info(std::string_view line) {
  if (!is_quiet) write_line("info", "depthlens: ", line);
}
void log_warning(std::string_view line) {
  write_line("warning", use_colour() ? "depthlens: \033[33mwarning:\033[0m " : "depthlens: warning: ", line);
}
void log_error(std::string_view line) {
  write_line("error", use_colour() ? "depthlens: \033[31merror:\033[0m " : "depthlens: error: ", line);
}
void log_text(std::string_view lines) {
  if (is_quiet) return;
  while (!lines.empty()) {
    const std::size_t end = std::min(lines.find('\n'), lines.size());
    write_line("text", "", lines.substr(0, end));
    lines.remove_prefix(std::min(end + 1, lines.size()));
  }
}
void log_progress(const boost::json::object& members) {
  if (!is_quiet) write_object("progress", members);
}

bool stderr_is_terminal() {
  static const bool terminal = [] {
    const char* term = std::getenv("TERM");
    return ::isatty(STDERR_FILENO) != 0 && (term == nullptr || std::string_view(term) != "dumb");
  }();
  return terminal && form == progress_form::automatic;
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
