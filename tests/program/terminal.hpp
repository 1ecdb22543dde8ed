// SPDX-License-Identifier: Apache-2.0
// A program whose stdout is a terminal, as its user sees it.
#pragma once

#include "program/process.hpp"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <map>
#include <string>

namespace depthlens::test {

// What it writes to a terminal of so many columns. These variables are all that it has of TERM and NO_COLOR.
inline std::string said_on_terminal(const words& command, const std::map<std::string, std::string>& variables,
                                    unsigned short columns = 200) {
  const int own = ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  BOOST_REQUIRE(own >= 0);
  BOOST_REQUIRE(::grantpt(own) == 0);
  BOOST_REQUIRE(::unlockpt(own) == 0);
  const std::string name = ::ptsname(own);
  const int shown = ::open(name.c_str(), O_RDWR | O_NOCTTY | O_CLOEXEC);
  BOOST_REQUIRE(shown >= 0);
  winsize size{};
  size.ws_row = 50;
  size.ws_col = columns;
  BOOST_REQUIRE(::ioctl(shown, TIOCSWINSZ, &size) == 0);
  words line = {"env", "-u", "TERM", "-u", "NO_COLOR"};
  for (const auto& [variable, value] : variables) line.push_back(variable + "=" + value);
  line = line + command;
  std::vector<char*> arguments;
  for (std::string& w : line) arguments.push_back(w.data());
  arguments.push_back(nullptr);
  const pid_t child = ::fork();
  BOOST_REQUIRE(child >= 0);
  if (child == 0) {
    if (::dup2(shown, STDOUT_FILENO) < 0) ::_exit(126);
    ::execvp(arguments[0], arguments.data());
    ::_exit(127);
  }
  ::close(shown);
  std::string out;
  char piece[4096];
  // Once nobody holds the terminal's other side, reading fails.
  for (ssize_t n; (n = ::read(own, piece, sizeof piece)) > 0;) out.append(piece, static_cast<std::size_t>(n));
  ::close(own);
  int status = 0;
  BOOST_REQUIRE(::waitpid(child, &status, 0) == child);
  BOOST_TEST(status == 0);
  return out;
}

}  // namespace depthlens::test
