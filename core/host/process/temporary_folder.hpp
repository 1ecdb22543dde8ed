// SPDX-License-Identifier: Apache-2.0
// A folder to work in, in that of temporary files; it goes with all that is in it.
#pragma once

#include "depthlens/base/error.hpp"
#include "depthlens/base/io_error.hpp"

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>

namespace depthlens {

class temporary_folder {
 public:
  // Its name begins with depthlens-NAME-. Errors: cannot_create.
  explicit temporary_folder(std::string_view name) {
    std::error_code code;
    const std::filesystem::path parent = std::filesystem::temp_directory_path(code);
    if (code) {
      const char* const asked = std::getenv("TMPDIR");
      fail_errno(code.value(), file_use::create, asked != nullptr ? cat("TMPDIR=", asked) : "/tmp",
                 ": cannot be used for temporary files");
    }
    std::string pattern = (parent / cat("depthlens-", name, "-XXXXXX")).string();
    if (::mkdtemp(pattern.data()) == nullptr)
      fail_errno(errno, file_use::create, pattern, ": cannot make a folder to work in");
    path_ = pattern;
  }
  ~temporary_folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  temporary_folder(const temporary_folder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace depthlens
