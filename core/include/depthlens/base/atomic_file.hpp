// SPDX-License-Identifier: Apache-2.0
// A file that appears under its name only when it is complete: written beside its place as .NAME.tmp-PID,
// flushed to the disk and renamed. Whatever happens before commit() returns, the file that was there before
// stays as it was. Who may write to a folder at all (locks) is left to the caller.
#pragma once

#include <depthlens/base/error.hpp>
#include <depthlens/base/io_error.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>

namespace depthlens {

// One thread. One writer per path and process at a time. Without commit() the destructor removes what was
// written.
class atomic_file {
 public:
  // The folder must exist. A link keeps its place: what it names is written. Throws status::cannot_create,
  // also where the name is that of a device, pipe or folder; status::io where the disk is full.
  explicit atomic_file(const std::filesystem::path& path) : path_(place_of(path)) {
    if (!path_.has_filename())
      fail(status::cannot_create, path_.string(), ": cannot create the file: no file name");
    temporary_ = folder() / ("." + path_.filename().string() + ".tmp-" + std::to_string(::getpid()));
    ::unlink(temporary_.c_str());  // left by a killed process that had the same number
    fd_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (fd_ < 0) fail_errno(errno, file_use::create, path_.string(), ": cannot create the file");
    buffer_.reserve(buffer_bytes);
  }
  ~atomic_file() { discard(); }
  atomic_file(const atomic_file&) = delete;
  atomic_file& operator=(const atomic_file&) = delete;

  const std::filesystem::path& path() const noexcept { return path_; }

  // Throws status::io where the disk is full or fails; the file is then discarded.
  void write(std::string_view bytes) {
    if (buffer_.size() + bytes.size() > buffer_bytes) flush();
    if (bytes.size() >= buffer_bytes)
      write_out(bytes);
    else
      buffer_ += bytes;
  }

  // Writes at a place from the file's beginning on, whatever write() has come to; what no call fills reads as
  // zeros. Throws as write() does.
  void write_at(std::uint64_t place, std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t n = ::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(place));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) fail_io("cannot write the file");
      bytes.remove_prefix(static_cast<std::size_t>(n));
      place += static_cast<std::uint64_t>(n);
    }
  }

  // Puts the file in place. Throws status::io; the former file is then still there. write() is not allowed
  // after it.
  void commit() {
    flush();
    if (::fsync(fd_) != 0) fail_io("cannot write the file to the disk");
    if (::close(std::exchange(fd_, -1)) != 0) fail_io("cannot close the file");
    if (std::rename(temporary_.c_str(), path_.c_str()) != 0) fail_io("cannot put the file in place");
    temporary_.clear();
    sync_folder();
  }

 private:
  static constexpr std::size_t buffer_bytes = 65536;

  // Where the links end, also at a file that is still to be made.
  static std::filesystem::path place_of(const std::filesystem::path& path) {
    namespace fs = std::filesystem;
    constexpr int most_links = 40;  // as Linux has it
    std::error_code code;
    fs::path place = path;
    for (int i = 0; i < most_links && fs::is_symlink(place, code); ++i)
      place = place.parent_path() / fs::read_symlink(place, code);
    if (place.has_filename() && fs::exists(place, code) && !fs::is_regular_file(place, code))
      fail(status::cannot_create, path.string(), ": is not a regular file");
    return place;
  }

  std::filesystem::path folder() const { return path_.has_parent_path() ? path_.parent_path() : "."; }

  void flush() {
    write_out(buffer_);
    buffer_.clear();
  }

  void write_out(std::string_view bytes) {
    if (fd_ < 0) fail(status::internal, path_.string(), ": written to after its end");
    while (!bytes.empty()) {
      const ssize_t n = ::write(fd_, bytes.data(), bytes.size());
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) fail_io("cannot write the file");
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
  }

  // So that the new name, too, survives a power failure. Some network file systems cannot do this for
  // folders; the file itself is on the disk by then, so that is no error.
  void sync_folder() const noexcept {
    const int fd = ::open(folder().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return;
    ::fsync(fd);
    ::close(fd);
  }

  [[noreturn]] void fail_io(const char* what) {
    const int code = errno;
    discard();
    fail_errno(code, file_use::write, path_.string(), ": ", what);
  }

  void discard() noexcept {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
    if (!temporary_.empty()) ::unlink(temporary_.c_str());
    temporary_.clear();
  }

  std::filesystem::path path_, temporary_;  // temporary_ is empty once it is renamed or removed
  int fd_ = -1;
  std::string buffer_;
};

}  // namespace depthlens
