// SPDX-License-Identifier: Apache-2.0
// Content ids: SHA-256 (what Hugging Face names its blobs by, and what goes into run.json) and XXH3-64
// (checksums of log records, where speed matters and nobody attacks). Links libcrypto and libxxhash.
#pragma once

#include <openssl/evp.h>
#include <xxhash.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "depthlens/base/error.hpp"
#include "depthlens/base/io_error.hpp"
#include "depthlens/base/text.hpp"

namespace depthlens {

// SHA-256 over bytes given in pieces. Not thread-safe; one object per hash.
class sha256_stream {
 public:
  sha256_stream() : context_(EVP_MD_CTX_new(), &EVP_MD_CTX_free) {
    check(context_ != nullptr && EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1);
  }

  void update(std::span<const std::byte> bytes) {
    check(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1);
  }
  void update(std::string_view text) { update(std::as_bytes(std::span(text.data(), text.size()))); }

  // 64 lower-case hex digits. Call once, last.
  std::string finish() {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    check(EVP_DigestFinal_ex(context_.get(), digest.data(), &size) == 1);
    std::string out;
    for (unsigned i = 0; i < size; ++i) detail::append_hex(out, digest[i]);
    return out;
  }

 private:
  static void check(bool good) {
    if (!good) fail(status::internal, "SHA-256 is not available in this build of OpenSSL");
  }

  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
};

inline std::string sha256(std::span<const std::byte> bytes) {
  sha256_stream hash;
  hash.update(bytes);
  return hash.finish();
}

inline std::string sha256(std::string_view text) {
  return sha256(std::as_bytes(std::span(text.data(), text.size())));
}

// SHA-256 of a file, read in 1 MiB pieces (read() reports a failing disk, a mapping would raise a signal).
// Errors: those of io_error.hpp; no_input for a pipe, device or folder.
inline std::string sha256_file(const std::filesystem::path& path) {
  // O_NONBLOCK: opening a named pipe must not wait for a writer.
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) fail_errno(errno, file_use::read, path.string(), ": cannot be opened");
  struct closer {
    int fd;
    ~closer() { ::close(fd); }
  } const close_at_end{fd};
  struct stat info {};
  if (::fstat(fd, &info) != 0) fail_errno(errno, file_use::write, path.string(), ": cannot be examined");
  if (S_ISDIR(info.st_mode)) fail(status::no_input, path.string(), ": is a folder, expected a file");
  if (!S_ISREG(info.st_mode)) fail(status::no_input, path.string(), ": is not a regular file");
  sha256_stream hash;
  std::vector<std::byte> buffer(1u << 20);
  for (;;) {
    const ssize_t n = ::read(fd, buffer.data(), buffer.size());
    if (n == 0) return hash.finish();
    if (n > 0) {
      hash.update(std::span(buffer.data(), static_cast<std::size_t>(n)));
    } else if (errno != EINTR) {
      fail_errno(errno, file_use::write, path.string(), ": cannot be read");
    }
  }
}

inline std::uint64_t xxh3_64(std::span<const std::byte> bytes) noexcept {
  return XXH3_64bits(bytes.data(), bytes.size());
}

inline std::uint64_t xxh3_64(std::string_view text) noexcept { return XXH3_64bits(text.data(), text.size()); }

}  // namespace depthlens
