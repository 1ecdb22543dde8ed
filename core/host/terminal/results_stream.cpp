// SPDX-License-Identifier: Apache-2.0
#include "terminal/results_stream.hpp"

#include <ext/stdio_filebuf.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <string_view>

namespace depthlens {
namespace {

int descriptor = STDOUT_FILENO;

}  // namespace

void keep_stdout_for_results() {
  const int own = ::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  if (own < 0) return;
  // Never freed: std::cout writes to it until the process has ended.
  static auto* buffer = new __gnu_cxx::stdio_filebuf<char>(own, std::ios::out);
  if (!buffer->is_open() || ::dup2(STDERR_FILENO, STDOUT_FILENO) < 0) return;
  std::cout.rdbuf(buffer);
  descriptor = own;
}

int results_descriptor() { return descriptor; }

bool results_take_colour() {
  const char* none = std::getenv("NO_COLOR");
  const char* term = std::getenv("TERM");
  return (none == nullptr || *none == '\0') && term != nullptr && *term != '\0' &&
         std::string_view(term) != "dumb" && ::isatty(descriptor) != 0;
}

std::size_t results_columns() {
  winsize size{};
  return ::isatty(descriptor) != 0 && ::ioctl(descriptor, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

}  // namespace depthlens
