// SPDX-License-Identifier: Apache-2.0
// Short texts in the folder of a run that others may have put there: only plain files are read and written,
// and a pipe is not waited for.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace depthlens {

class plain_file {
 public:
  // `flags` as of open(2); they need not say that a child does not inherit it.
  plain_file(const std::filesystem::path& path, int flags)
      : fd_(::open(path.c_str(), flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0666)) {
    if (fd_ >= 0 && (::fstat(fd_, &about_) != 0 || !S_ISREG(about_.st_mode))) {
      ::close(fd_);
      fd_ = -1;
    }
  }
  ~plain_file() {
    if (fd_ >= 0) ::close(fd_);
  }
  plain_file(const plain_file&) = delete;

  bool is_open() const noexcept { return fd_ >= 0; }
  int fd() const noexcept { return fd_; }
  const struct stat& about() const noexcept { return about_; }

 private:
  int fd_;
  struct stat about_ {};
};

// The first bytes of a file, at most so many; nothing where there is no plain file that can be read.
inline std::optional<std::string> read_plain(const std::filesystem::path& path, std::size_t most) {
  const plain_file file(path, O_RDONLY);
  if (!file.is_open()) return std::nullopt;
  std::string text(most, '\0');
  std::size_t size = 0;
  while (size < most) {
    const ssize_t n = ::read(file.fd(), text.data() + size, most - size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return std::nullopt;
    if (n == 0) break;
    size += static_cast<std::size_t>(n);
  }
  text.resize(size);
  return text;
}

// In place of what is there, in one write; false where that is no plain file or cannot be written.
inline bool write_plain(const std::filesystem::path& path, std::string_view text) noexcept {
  const plain_file file(path, O_WRONLY | O_CREAT);
  if (!file.is_open()) return false;
  return ::pwrite(file.fd(), text.data(), text.size(), 0) == static_cast<ssize_t>(text.size()) &&
         ::ftruncate(file.fd(), static_cast<off_t>(text.size())) == 0;
}

}  // namespace depthlens
