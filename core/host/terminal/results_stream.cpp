// SPDX-License-Identifier: Apache-2.0
#include "terminal/results_stream.hpp"

#include <ext/stdio_filebuf.h>
#include <fcntl.h>
#include <unistd.h>

#include <iostream>

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

}  // namespace depthlens
