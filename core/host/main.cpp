// SPDX-License-Identifier: Apache-2.0
// The program: picks the command and turns errors into one line on stderr and an exit code.
#include "commands/command.hpp"
#include "plugins/last_words.hpp"
#include "plugins/library.hpp"
#include "terminal/cut_file_guard.hpp"
#include "terminal/log.hpp"
#include "version.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <iostream>

namespace {

// A file that is opened later must not become a stream that the program was started without.
void occupy_standard_streams() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    if (::fcntl(fd, F_GETFD) < 0 && ::open("/dev/null", O_RDWR) < 0) return;
}

int dispatch(const depthlens::arguments& args) {
  using namespace depthlens;
  if (args.empty()) {
    help_command({});
    return static_cast<int>(status::usage);
  }
  if (args[0] == "--help" || args[0] == "-h") return help_command({});
  if (args[0] == "--version") {
    std::cout << "depthlens " DEPTHLENS_VERSION "\n";
    return 0;
  }
  const auto commands = all_commands();
  const auto at =
      std::find_if(commands.begin(), commands.end(), [&](const command& c) { return c.name == args[0]; });
  if (at == commands.end()) fail(status::usage, "no command \"", args[0], "\"; depthlens help lists them");
  return at->run({args.begin() + 1, args.end()});
}

}  // namespace

int main(int argc, char** argv) {
  occupy_standard_streams();
  for (const int number : {SIGPIPE, SIGXFSZ}) std::signal(number, SIG_IGN);  // the write fails, and says why
  depthlens::end_cleanly_on_cut_files();
  depthlens::say_why_on_crashes();
  int code = static_cast<int>(depthlens::status::internal);
  try {
    code = dispatch({argv + 1, argv + argc});
    std::cout.flush();
    if (!std::cout) depthlens::fail(depthlens::status::io, "cannot write to stdout");
  } catch (const depthlens::error& e) {
    depthlens::log_error(e.what());
    code = static_cast<int>(e.code());
  } catch (const std::filesystem::filesystem_error& e) {
    depthlens::log_error(e.what());
    code = static_cast<int>(depthlens::status::io);
  } catch (const std::bad_alloc&) {
    depthlens::log_error("out of memory");
  } catch (const std::exception& e) {
    depthlens::log_error(std::string("internal: ") + e.what());
  }
  depthlens::unload_plugins();
  return code;
}
