// SPDX-License-Identifier: Apache-2.0
// The program: picks the command and turns errors into one line on stderr and an exit code.
#include "commands/command.hpp"
#include "depthlens/base/io_error.hpp"
#include "depthlens/base/nearest.hpp"
#include "plugins/library.hpp"
#include "process/address_space.hpp"
#include "process/cut_file_guard.hpp"
#include "process/last_words.hpp"
#include "terminal/log.hpp"
#include "terminal/results_stream.hpp"
#include "version.hpp"

#include <poll.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <iostream>

namespace {

// `| head` has read what it wanted: the program ends as others do, by SIGPIPE and without a word.
bool reader_has_gone() {
  pollfd out{depthlens::results_descriptor(), POLLOUT, 0};
  return ::poll(&out, 1, 0) == 1 && (out.revents & POLLERR) != 0;
}

[[noreturn]] void end_by_sigpipe() {
  depthlens::end_plugins();
  std::signal(SIGPIPE, SIG_DFL);
  std::raise(SIGPIPE);
  std::_Exit(128 + SIGPIPE);  // where the signal is blocked
}

// A file that is opened later must not become a stream that the program was started without.
void occupy_standard_streams() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    if (::fcntl(fd, F_GETFD) < 0 && ::open("/dev/null", O_RDWR) < 0) return;
}

// -q, --quiet, --progress HOW and --plugin-path DIR may stand before the command: they are moved behind its
// words.
depthlens::arguments with_leading_options_moved(depthlens::arguments args) {
  std::size_t n = 0;
  for (; n < args.size(); ++n) {
    const std::string& a = args[n];
    if ((a == "--plugin-path" || a == "--progress") && n + 1 < args.size())
      ++n;
    else if (a != "-q" && a != "--quiet" && !a.starts_with("--plugin-path=") && !a.starts_with("--progress="))
      break;
  }
  if (n == 0 || n == args.size()) return args;
  const depthlens::arguments moved(args.begin(), args.begin() + static_cast<std::ptrdiff_t>(n));
  args.erase(args.begin(), args.begin() + static_cast<std::ptrdiff_t>(n));
  args.insert(std::find(args.begin(), args.end(), "--"), moved.begin(), moved.end());
  return args;
}

// A last "--" has nothing behind it to keep from being taken for options.
depthlens::arguments without_idle_end(depthlens::arguments args) {
  if (!args.empty() && args.back() == "--" && std::find(args.begin(), args.end(), "--") == args.end() - 1)
    args.pop_back();
  return args;
}

[[noreturn]] void refuse_command(const std::string& word) {
  using namespace depthlens;
  std::vector<std::string> names;
  for (const command& c : all_commands()) names.emplace_back(c.name);
  if (word.starts_with('-'))
    fail(status::usage, "no option \"", word, "\" before the command",
         suggestion(word, {"--help", "--version", "--quiet", "--plugin-path", "--progress"}),
         "; depthlens help lists the commands");
  fail(status::usage, "no command \"", word, "\"", suggestion(word, names), "; depthlens help lists them");
}

int dispatch(const depthlens::arguments& given) {
  using namespace depthlens;
  take_progress_early(given);
  const arguments args = with_leading_options_moved(without_idle_end(given));
  if (args.empty()) {
    help_command({});
    return static_cast<int>(status::usage);
  }
  if (args[0] == "--help" || args[0] == "-h") return help_command({});
  if (args[0] == "-q" || args[0] == "--quiet" || args[0].starts_with("--plugin-path") ||
      args[0].starts_with("--progress"))
    fail(status::usage, "no command after ", args[0], "; depthlens help lists them");
  if (args[0] == "--version") {
    std::cout << "depthlens " DEPTHLENS_VERSION "\n";
    return 0;
  }
  const auto commands = all_commands();
  const auto at =
      std::find_if(commands.begin(), commands.end(), [&](const command& c) { return c.name == args[0]; });
  if (at == commands.end()) refuse_command(args[0]);
  return at->run({args.begin() + 1, args.end()});
}

}  // namespace

int main(int argc, char** argv) {
  depthlens::spare_address_space();  // under ulimit -v: the threads' allocators would reserve it
  occupy_standard_streams();
  depthlens::keep_stdout_for_results();
  for (const int number : {SIGPIPE, SIGXFSZ}) std::signal(number, SIG_IGN);  // the write fails, and says why
  depthlens::end_cleanly_on_cut_files();  // SIGBUS: a mapped file has been cut short
  depthlens::say_why_on_crashes();
  std::cout.exceptions(std::ios::badbit);  // what cannot be written ends the work
  int code = static_cast<int>(depthlens::status::internal);
  try {
    code = dispatch({argv + 1, argv + argc});
    std::cout.flush();
  } catch (const std::ios_base::failure&) {
    const int number = errno;
    if (reader_has_gone()) end_by_sigpipe();
    depthlens::log_error("cannot write to stdout: " + depthlens::errno_text(number));
    code = static_cast<int>(depthlens::status::io);
  } catch (const depthlens::error& e) {
    depthlens::log_error(e.what());
    code = static_cast<int>(e.code());
  } catch (const std::filesystem::filesystem_error& e) {
    const int number = e.code().value();
    depthlens::log_error(e.path1().string() + ": " + depthlens::errno_text(number));
    code = static_cast<int>(depthlens::status_of_errno(number, depthlens::file_use::read));
  } catch (const std::bad_alloc&) {
    depthlens::log_error("out of memory");
  } catch (const std::system_error& e) {  // of std::thread and std::mutex
    depthlens::log_error("a thread cannot be made or used: " + depthlens::errno_text(e.code().value()));
  } catch (const std::exception& e) {
    depthlens::log_error(std::string("internal: ") + e.what());
  }
  depthlens::end_plugins();
  return code;
}
