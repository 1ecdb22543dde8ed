// SPDX-License-Identifier: Apache-2.0
// A file without a name, in memory: what is written to it never meets a full disk. Other processes of the
// same user may open it by its path while it lives. Where the kernel has no such files it is a temporary one.
#pragma once

#include <depthlens/base/error.hpp>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>
#include <utility>

namespace depthlens {

// One thread. `what` stands in the error messages.
class anonymous_file {
 public:
  explicit anonymous_file(std::string what) : what_(std::move(what)), fd_(make()) {
    if (fd_ < 0) fail(status::io, "cannot make room for ", what_, ": ", std::strerror(errno));
  }
  ~anonymous_file() {
    if (fd_ >= 0) ::close(fd_);
  }
  anonymous_file(anonymous_file&& other) noexcept
      : what_(std::move(other.what_)), fd_(std::exchange(other.fd_, -1)) {}
  anonymous_file& operator=(anonymous_file&&) = delete;

  int fd() const noexcept { return fd_; }
  // For other processes. /proc says by which number it knows this one, also in a container.
  std::string path() const {
    char self[32];
    const ssize_t n = ::readlink("/proc/self", self, sizeof self);
    if (n <= 0) fail(status::io, "cannot make room for ", what_, ": /proc is not mounted");
    return cat("/proc/", std::string(self, static_cast<std::size_t>(n)), "/fd/", fd_);
  }

  std::size_t size() const {
    struct stat about {};
    if (::fstat(fd_, &about) != 0) fail(status::io, "cannot measure ", what_, ": ", std::strerror(errno));
    return static_cast<std::size_t>(about.st_size);
  }
  // Up to `limit` bytes from the beginning; the place where others read or write stays.
  std::string bytes(std::size_t limit = std::string::npos) const {
    std::string out(std::min(size(), limit), '\0');
    for (std::size_t at = 0; at < out.size();) {
      const ssize_t n = ::pread(fd_, out.data() + at, out.size() - at, static_cast<off_t>(at));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) fail(status::io, "cannot read ", what_, ": ", std::strerror(errno));
      if (n == 0) out.resize(at);
      at += static_cast<std::size_t>(n);
    }
    return out;
  }

 private:
  static int make() {
    const int fd = ::memfd_create("depthlens", MFD_CLOEXEC);
    if (fd >= 0) return fd;
    std::FILE* const file = std::tmpfile();
    if (file == nullptr) return -1;
    const int copy = ::fcntl(fileno(file), F_DUPFD_CLOEXEC, 0);
    std::fclose(file);
    return copy;
  }

  std::string what_;
  int fd_;
};

}  // namespace depthlens
