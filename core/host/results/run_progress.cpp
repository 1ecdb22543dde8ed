// SPDX-License-Identifier: Apache-2.0
#include "results/run_progress.hpp"

#include "results/beginning_of.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cinttypes>
#include <cstdio>
#include <sstream>

namespace depthlens {

std::optional<std::chrono::milliseconds> run_progress::left() const {
  // Of the first moments nothing follows.
  if (finished <= begun || at_work < std::chrono::seconds(10) || wanted < finished) return std::nullopt;
  const double each = static_cast<double>(at_work.count()) / static_cast<double>(finished - begun);
  return std::chrono::milliseconds(static_cast<std::int64_t>(each * static_cast<double>(wanted - finished)));
}

// One write of one length, so that a reader sees the old or the new.
void write_progress(const std::filesystem::path& file, const run_progress& p) noexcept {
  char line[128];
  const int n =
      std::snprintf(line, sizeof line, "%020" PRIu64 " %020" PRIu64 " %020" PRIu64 " %020" PRId64 "\n",
                    p.begun, p.finished, p.wanted, static_cast<std::int64_t>(p.at_work.count()));
  const int fd = ::open(file.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
  if (fd < 0) return;
  [[maybe_unused]] const ssize_t written = ::pwrite(fd, line, static_cast<std::size_t>(n), 0);
  ::close(fd);
}

std::optional<run_progress> read_progress(const std::filesystem::path& file) {
  std::istringstream in(beginning_of(file).value_or(""));
  run_progress p;
  std::int64_t ms = 0;
  if (!(in >> p.begun >> p.finished >> p.wanted >> ms) || ms < 0) return std::nullopt;
  p.at_work = std::chrono::milliseconds(ms);
  return p;
}

}  // namespace depthlens
