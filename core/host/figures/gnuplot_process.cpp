// SPDX-License-Identifier: Apache-2.0
#include "gnuplot_process.hpp"

#include "anonymous_file.hpp"
#include "child_process.hpp"
#include "gnuplot_environment.hpp"
#include "gnuplot_text.hpp"
#include "process/stop_signal.hpp"

#include <depthlens/base/error.hpp>

#include <gnuplot-iostream.h>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string_view>

extern char** environ;

namespace depthlens {

namespace {

constexpr const char* how_to_install = "install gnuplot 5.4 or later (Debian: gnuplot-nox)";

[[noreturn]] void fail_stopped() {
  fail(status::stopped,
       "stopped while figures were drawn; the tables are finished. The same command draws the rest");
}

// gnuplot prints the command, a pointer to the place and then "line N: what is wrong"; the latter says most.
std::string message_in(const anonymous_file& file) {
  const std::string text = file.bytes(8192);
  std::string first;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    std::string line = figure_line(std::string_view(text).substr(at, end - at), 200);
    line.erase(0, line.find_first_not_of(' '));
    at = end + 1;
    if (line.find("warning") != std::string::npos) continue;
    if (line.starts_with("line ")) return line;
    if (first.empty()) first = line;
  }
  return first;
}

// gnuplot reads its commands from a file that is complete before it starts: a pipe would block the writer
// where gnuplot hangs, and hide what was lost where a write fails.
void write_commands(const anonymous_file& to, const std::string& script) {
  const int copy = ::fcntl(to.fd(), F_DUPFD_CLOEXEC, 0);
  std::FILE* const file = copy < 0 ? nullptr : ::fdopen(copy, "w");
  if (file == nullptr) {
    const int code = errno;
    if (copy >= 0) ::close(copy);
    fail(status::io, "cannot start gnuplot: ", std::strerror(code));
  }
  bool whole = false;
  {
    Gnuplot gnuplot(file);  // closes it
    errno = 0;
    gnuplot.write(script.data(), static_cast<std::streamsize>(script.size()));
    gnuplot.flush();
    whole = gnuplot.good();
  }
  if (!whole || to.size() != script.size() || ::lseek(to.fd(), 0, SEEK_SET) != 0)
    fail(status::io, "cannot hand gnuplot its commands: ", std::strerror(errno == 0 ? EIO : errno));
}

std::string seconds_of(std::chrono::milliseconds time) {
  return cat(static_cast<double>(time.count()) / 1000, " s");
}

}  // namespace

gnuplot_verdict check_gnuplot(std::chrono::milliseconds time) {
  child_process child({.words = {"gnuplot", "--version"},
                       .environment = gnuplot_environment(environ),
                       .folder = "",
                       .files = {}});
  if (child.error() == ENOENT) return {gnuplot_state::absent, "gnuplot is not installed"};
  if (child.error() != 0)
    return {gnuplot_state::broken, cat("gnuplot cannot be started: ", std::strerror(child.error()))};
  const std::optional<int> state = child.wait(time, stop_asked());
  if (state == 0) return {gnuplot_state::usable, ""};
  if (stop_asked()) fail_stopped();
  return {gnuplot_state::broken,
          "gnuplot --version " + (state ? ending_words(*state) : "did not end within " + seconds_of(time))};
}

void run_gnuplot(const std::filesystem::path& folder, const std::string& script,
                 std::chrono::milliseconds time) {
  const anonymous_file messages("the messages of gnuplot"), commands("the commands of gnuplot");
  write_commands(commands, script);
  if (stop_asked()) fail_stopped();
  child_process child({.words = {"gnuplot", "-d"},
                       .environment = gnuplot_environment(environ),
                       .folder = folder.string(),
                       .files = {.in = commands.fd(), .err = messages.fd()}});
  if (child.error() != 0) {
    std::error_code ignored;
    if (!std::filesystem::is_directory(folder, ignored))
      fail(status::io, folder.string(), ": cannot draw there: no such folder");
    fail(status::unavailable, "cannot start gnuplot: ", std::strerror(child.error()), "; ", how_to_install,
         " and run depthlens plot");
  }
  const std::optional<int> state = child.wait(time, stop_asked());
  if (state != 0 && stop_asked()) fail_stopped();
  const std::string said = message_in(messages);
  if (!state)
    fail(status::io, "gnuplot did not end within ", seconds_of(time),
         " and was ended: ", said.empty() ? "no message" : said);
  if (*state != 0) fail(status::io, "gnuplot failed: ", said.empty() ? "it " + ending_words(*state) : said);
  if (::lseek(commands.fd(), 0, SEEK_CUR) != static_cast<off_t>(script.size()))
    fail(status::io, "gnuplot failed: it ended before it had read all of its commands");
}

}  // namespace depthlens
