// SPDX-License-Identifier: Apache-2.0
// A folder to work in, in that of temporary files; it goes with all that is in it.
#pragma once

#include "depthlens/base/io_error.hpp"

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>

namespace depthlens {

// Where temporary files are, which TMPDIR says. Errors: cannot_create, permission; they name it.
inline std::filesystem::path folder_of_temporary_files() {
  std::error_code code;
  std::filesystem::path folder = std::filesystem::temp_directory_path(code);
  if (!code) return folder;
  for (const char* name : {"TMPDIR", "TMP", "TEMP", "TEMPDIR"})  // in this order
    if (const char* const value = std::getenv(name))
      fail_errno(code.value(), file_use::create, name, '=', value,
                 ": temporary files cannot be there; set it to a folder where they can");
  fail_errno(code.value(), file_use::create, "/tmp: temporary files cannot be there; set TMPDIR to a folder");
}

class temporary_folder {
 public:
  // Its name begins with depthlens-NAME-. Errors: cannot_create, permission.
  explicit temporary_folder(std::string_view name,
                            const std::filesystem::path& within = folder_of_temporary_files()) {
    std::string pattern = (within / cat("depthlens-", name, "-XXXXXX")).string();
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
