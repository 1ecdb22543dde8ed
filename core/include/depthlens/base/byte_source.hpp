// SPDX-License-Identifier: Apache-2.0
// A file read from front to back through one fixed buffer, byte by byte or line by line, with the line number
// that every error of the readers carries. It checks that the file is there, is a regular file and does not
// begin with a byte order mark; what the bytes mean is left to the readers. Memory: 64 KiB and
// the caller's line.
#pragma once

#include <depthlens/base/error.hpp>
#include <depthlens/base/io_error.hpp>
#include <depthlens/base/lfs_pointer.hpp>
#include <depthlens/base/utf8.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <string>
#include <string_view>

namespace depthlens {

// The longest line, JSON item, sentence, paragraph or CSV row that is read, in bytes.
inline constexpr std::size_t max_item_bytes = std::size_t{16} << 20;

// One file, one thread. Not copyable.
class byte_source {
 public:
  // Throws status::no_input (not there, or no regular file), permission, io, or data (byte order mark).
  explicit byte_source(const std::filesystem::path& path) : name_(path.string()) {
    // O_NONBLOCK: opening a named pipe must not wait for a writer.
    fd_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd_ < 0) fail_errno(errno, file_use::read, name_, ": cannot open the file");
    try {
      check_start();
    } catch (...) {
      ::close(fd_);
      throw;
    }
  }
  ~byte_source() { ::close(fd_); }
  byte_source(const byte_source&) = delete;
  byte_source& operator=(const byte_source&) = delete;

  const std::string& name() const noexcept { return name_; }
  // The line, from 1, that holds the next byte.
  std::uint64_t line() const noexcept { return line_; }
  // Its place in that line, from 1, in bytes.
  std::uint64_t column() const noexcept { return before_ + at_ - line_start_ + 1; }

  // The next byte (0..255) without or with taking it; -1 at the end of the file.
  int peek() { return at_ < end_ || refill() ? static_cast<unsigned char>(buffer_[at_]) : -1; }
  int get() {
    const int c = peek();
    if (c < 0) return c;
    ++at_;
    if (c == '\n') {
      ++line_;
      line_start_ = before_ + at_;
    }
    return c;
  }

  // The next line without its "\n" or "\r\n"; false at the end of the file. A last line needs no line end.
  // Throws status::data for a line over max_item_bytes, one with a NUL byte or one that is not UTF-8.
  bool get_line(std::string& out) {
    out.clear();
    if (peek() < 0) return false;
    bool ended = false;
    while (!ended && peek() >= 0) {
      const char* const from = buffer_.data() + at_;
      const void* const stop = std::memchr(from, '\n', end_ - at_);
      const std::size_t n =
          stop ? static_cast<std::size_t>(static_cast<const char*>(stop) - from) : end_ - at_;
      if (out.size() + n > max_item_bytes) fail_at(line_, "the line is longer than 16 MiB");
      out.append(from, n);
      at_ += n;
      ended = stop != nullptr;
    }
    if (out.find('\0') != std::string::npos)
      fail_at(line_, "a NUL byte; expected text in UTF-8 (from UTF-16 it is made by iconv -t UTF-8)");
    check_utf8(out, line_);
    if (ended) get();
    if (!out.empty() && out.back() == '\r') out.pop_back();
    return true;
  }

  // Throws status::data "NAME:LINE: ...".
  template <class... Parts>
  [[noreturn]] void fail_at(std::uint64_t line, Parts&&... parts) const {
    fail(status::data, name_, ":", line, ": ", parts...);
  }

  // Throws status::data "NAME:LINE:COLUMN: ..." for the next byte.
  template <class... Parts>
  [[noreturn]] void fail_here(Parts&&... parts) const {
    fail(status::data, name_, ":", line_, ":", column(), ": ", parts...);
  }

  // `text` begins on line `first_line`.
  void check_utf8(std::string_view text, std::uint64_t first_line) const {
    const std::size_t broken = utf8_first_broken(text);
    if (broken == std::string_view::npos) return;
    std::uint64_t line = first_line;
    for (const char c : text.substr(0, broken)) line += c == '\n';
    fail_at(line, "the text is not UTF-8; convert the file, for example with iconv -t UTF-8");
  }

 private:
  void check_start() {
    struct stat info {};
    if (::fstat(fd_, &info) != 0) fail_errno(errno, file_use::write, name_, ": cannot look at the file");
    if (S_ISDIR(info.st_mode)) fail(status::no_input, name_, ": is a folder, expected a file");
    // Inputs are read more than once (detection, hashing, reading), which a pipe does not allow.
    if (!S_ISREG(info.st_mode))
      fail(status::no_input, name_, ": is not a regular file; save it to a file first");
    refill();
    const std::string_view start(buffer_.data(), end_);
    if (start.starts_with("\xEF\xBB\xBF") || start.starts_with("\xFF\xFE") || start.starts_with("\xFE\xFF"))
      fail_at(1, "the file begins with a byte order mark; save it as UTF-8 without one");
    if (static_cast<std::size_t>(info.st_size) == start.size() && is_lfs_pointer(start))
      fail(status::data, name_, lfs_pointer_text);
  }

  // Reads until there is at least one byte or the end of the file; false at the end.
  bool refill() {
    before_ += at_;
    at_ = end_ = 0;
    for (;;) {
      const ssize_t n = ::read(fd_, buffer_.data(), buffer_.size());
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) fail_errno(errno, file_use::write, name_, ": cannot read the file");
      end_ = static_cast<std::size_t>(n);
      return n > 0;
    }
  }

  std::string name_;
  int fd_ = -1;
  std::uint64_t line_ = 1, line_start_ = 0;  // line_start_: bytes before the line
  std::uint64_t before_ = 0;                 // bytes before the buffer
  std::size_t at_ = 0, end_ = 0;
  std::array<char, 65536> buffer_;
};

}  // namespace depthlens
