// SPDX-License-Identifier: Apache-2.0
// Files that live in memory, for readers that open a path: a folder whose names link to anonymous files.
// Nothing is written to a disk for an input, and what runs is exactly what runs on real files.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>

namespace depthlens::fuzz {

// One thread. The folder is removed at the end; a crash leaves an empty one with dead links in the temporary
// folder.
class memory_folder {
 public:
  memory_folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "depthlens-fuzz-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("cannot make a temporary folder");
    path_ = pattern;
  }
  ~memory_folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
    for (const auto& [name, fd] : files_) ::close(fd);
  }
  memory_folder(const memory_folder&) = delete;
  memory_folder& operator=(const memory_folder&) = delete;

  const std::filesystem::path& path() const { return path_; }

  // Gives the file these bytes, and makes it if it is not there. No mapping of the old ones may be in use.
  std::filesystem::path put(const std::string& name, std::string_view bytes) {
    auto at = files_.find(name);
    if (at == files_.end()) at = files_.emplace(name, make(name)).first;
    if (::ftruncate(at->second, 0) != 0) throw std::runtime_error("cannot empty a file in memory");
    for (std::size_t done = 0; done < bytes.size();) {
      const ssize_t n =
          ::pwrite(at->second, bytes.data() + done, bytes.size() - done, static_cast<off_t>(done));
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) throw std::runtime_error("cannot write a file in memory");
      done += static_cast<std::size_t>(n);
    }
    return path_ / name;
  }

 private:
  int make(const std::string& name) const {
    const int fd = ::memfd_create(name.c_str(), MFD_CLOEXEC);
    if (fd < 0) throw std::runtime_error("cannot make a file in memory");
    std::filesystem::create_symlink("/proc/self/fd/" + std::to_string(fd), path_ / name);
    return fd;
  }

  std::filesystem::path path_;
  std::map<std::string, int> files_;
};

// Cuts an input into its parts: the text up to the next NUL byte, which is dropped.
inline std::string_view take_text(std::string_view& input) {
  const std::size_t end = input.find('\0');
  const std::string_view out = input.substr(0, end);
  input.remove_prefix(end == std::string_view::npos ? input.size() : end + 1);
  return out;
}

// A block behind its length (two bytes, little endian), as much of it as there is.
inline std::string_view take_block(std::string_view& input) {
  if (input.size() < 2) return {};
  const auto low = static_cast<unsigned char>(input[0]), high = static_cast<unsigned char>(input[1]);
  input.remove_prefix(2);
  const std::string_view out = input.substr(0, low + 256u * high);
  input.remove_prefix(out.size());
  return out;
}

}  // namespace depthlens::fuzz
