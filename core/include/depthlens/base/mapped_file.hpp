// SPDX-License-Identifier: Apache-2.0
// A regular file mapped read-only into memory, and a cursor that reads little-endian values out of bytes
// without ever leaving them: each read knows the file and the offset it failed at. Nothing here knows a file
// format.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

#include "depthlens/base/error.hpp"
#include "depthlens/base/io_error.hpp"
#include "depthlens/base/lfs_pointer.hpp"

namespace depthlens {

// Read-only view of a whole file; the bytes live as long as the object (moving it keeps their address). A
// file that another program cuts short while it is mapped raises SIGBUS on access, which the host turns into
// an error (process/cut_file_guard.hpp). Thread-safe once constructed.
class mapped_file {
 public:
  mapped_file() = default;

  // Errors: no_input (missing), permission, data (not a regular file), io. An empty file is a span of no
  // bytes.
  explicit mapped_file(const std::filesystem::path& path) : path_(path.string()) {
    // O_NONBLOCK: opening a named pipe must not wait for a writer.
    const int fd = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) fail_errno(errno, file_use::read, path_, ": cannot open the file");
    struct stat info {};
    if (::fstat(fd, &info) != 0) close_and_fail(fd, ": cannot be examined", errno);
    if (!S_ISREG(info.st_mode)) {
      ::close(fd);
      fail(status::data, path_, ": is ", S_ISDIR(info.st_mode) ? "a folder" : "not a regular file",
           ", expected a file");
    }
    size_ = static_cast<std::size_t>(info.st_size);
    version_ = version_of(info);
    if (size_ > 0) {
      void* at = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, fd, 0);
      if (at == MAP_FAILED) close_and_fail(fd, ": cannot be mapped into memory", errno);
      data_ = static_cast<const std::byte*>(at);
    }
    ::close(fd);
    refuse_pointer();
  }
  mapped_file(mapped_file&& other) noexcept { swap(other); }
  mapped_file& operator=(mapped_file&& other) noexcept {
    mapped_file(std::move(other)).swap(*this);
    return *this;
  }
  ~mapped_file() {
    if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
  }

  const std::string& path() const noexcept { return path_; }
  std::size_t size() const noexcept { return size_; }
  std::span<const std::byte> bytes() const noexcept { return {data_, size_}; }

  // Gives back the memory of what has been read so far: the next access reads it from the file again.
  void forget_pages() const noexcept {
    if (data_ != nullptr) ::madvise(const_cast<std::byte*>(data_), size_, MADV_DONTNEED);
  }

  // Errors: io where the path leads to another file by now, to none, or to one that was written to since.
  void require_unchanged() const {
    struct stat now {};
    if (::stat(path_.c_str(), &now) == 0 && version_of(now) == version_) return;
    fail(status::io, path_, ": was replaced, removed or written to while it was being read; what is ",
         "finished is kept: put the file back and give the same command again");
  }

 private:
  // What tells a file, as it was opened, from others and from itself as it is later.
  using version = std::tuple<dev_t, ino_t, off_t, time_t, long>;
  static version version_of(const struct stat& info) {
    return {info.st_dev, info.st_ino, info.st_size, info.st_mtim.tv_sec, info.st_mtim.tv_nsec};
  }

  void swap(mapped_file& other) noexcept {
    std::swap(path_, other.path_);
    std::swap(version_, other.version_);
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
  }

  void refuse_pointer() {
    if (!is_lfs_pointer({reinterpret_cast<const char*>(data_), size_})) return;
    ::munmap(const_cast<std::byte*>(data_), size_);  // no destructor runs after an error in the constructor
    fail(status::data, path_, lfs_pointer_text);
  }

  [[noreturn]] void close_and_fail(int fd, const char* what, int number) const {
    ::close(fd);
    fail_errno(number, file_use::write, path_, what);
  }

  std::string path_;
  version version_{};
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

// Reads forward through bytes; every error is status::data and starts with "<label>: offset <n>: ".
// Holds views: the bytes and the label outlive the cursor. Not thread-safe.
class byte_cursor {
 public:
  byte_cursor(std::span<const std::byte> bytes, std::string_view label) : bytes_(bytes), label_(label) {}

  std::size_t offset() const noexcept { return offset_; }
  std::size_t remaining() const noexcept { return bytes_.size() - offset_; }
  std::string_view label() const noexcept { return label_; }

  // The next n bytes; `what` names them in the error if fewer are left.
  std::span<const std::byte> take(std::uint64_t n, std::string_view what) {
    if (n > remaining()) {
      fail_here(what, " needs ", n, " bytes, but ", remaining(),
                " are left: the file is truncated or corrupt");
    }
    const auto out = bytes_.subspan(offset_, static_cast<std::size_t>(n));
    offset_ += static_cast<std::size_t>(n);
    return out;
  }

  std::uint8_t u8(std::string_view what) { return scalar<std::uint8_t>(what); }
  std::uint16_t u16(std::string_view what) { return scalar<std::uint16_t>(what); }
  std::uint32_t u32(std::string_view what) { return scalar<std::uint32_t>(what); }
  std::uint64_t u64(std::string_view what) { return scalar<std::uint64_t>(what); }
  float f32(std::string_view what) { return scalar<float>(what); }
  double f64(std::string_view what) { return scalar<double>(what); }

  // A string stored as u64 length + bytes, viewed in place.
  std::string_view string(std::string_view what,
                          std::uint64_t cap = std::numeric_limits<std::uint64_t>::max()) {
    const std::uint64_t length = u64(what);
    if (length > cap) fail_here(what, " of ", length, " bytes, at most ", cap, " are allowed");
    const auto text = take(length, what);
    return {reinterpret_cast<const char*>(text.data()), text.size()};
  }

  // A little-endian number.
  template <class T>
  T scalar(std::string_view what) {
    static_assert(std::endian::native == std::endian::little, "depthlens reads model files in place");
    T out;
    std::memcpy(&out, take(sizeof(T), what).data(), sizeof(T));
    return out;
  }

  template <class... Parts>
  [[noreturn]] void fail_here(Parts&&... parts) const {
    fail(status::data, label_, ": offset ", offset_, ": ", std::forward<Parts>(parts)...);
  }

 private:
  std::span<const std::byte> bytes_;
  std::string_view label_;
  std::size_t offset_ = 0;
};

}  // namespace depthlens
