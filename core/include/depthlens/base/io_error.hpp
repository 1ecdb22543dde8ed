// SPDX-License-Identifier: Apache-2.0
// What a failed system call on a file becomes: the status that fits its errno, and errno's own text at the
// end of the message. Also what std::filesystem asks about a file, with errors of this kind.
#pragma once

#include <depthlens/base/error.hpp>

#include <cerrno>
#include <filesystem>
#include <string>
#include <system_error>
#include <utility>

namespace depthlens {

// What a file was wanted for when a call failed.
enum class file_use {
  read,    // an input is opened or looked at
  create,  // an output is made
  write,   // what is open already is read or written
};

// No permission is that for every use; a full or failing disk is io for every use.
inline status status_of_errno(int code, file_use use) noexcept {
  switch (code) {
    case EACCES:
    case EPERM:
      return status::permission;
    case ENOSPC:
    case EDQUOT:
    case EIO:
    case EMFILE:
    case ENFILE:
    case EFBIG:
      return status::io;
    case ENOENT:
    case ENOTDIR:
    case ELOOP:
    case ENAMETOOLONG:
    case EISDIR:
      return use == file_use::read     ? status::no_input
             : use == file_use::create ? status::cannot_create
                                       : status::io;
    default:
      return use == file_use::create ? status::cannot_create : status::io;
  }
}

// errno's text, with what it means for a path where the text alone would puzzle.
inline std::string errno_text(int code) {
  std::string text = std::generic_category().message(code);
  if (code == ELOOP) return text + ": a link that leads back to itself";
  return text;
}

// throw error: the parts, a colon, and errno's text. `code` is read first, before anything can change errno:
// fail_errno(errno, file_use::read, path, ": cannot open the file").
template <class... Parts>
[[noreturn]] void fail_errno(int code, file_use use, Parts&&... parts) {
  throw error(status_of_errno(code, use), cat(std::forward<Parts>(parts)..., ": ", errno_text(code)));
}

// Is there anything, a folder, a file at the end of the path? Unlike those of std::filesystem, these throw a
// depthlens::error where that cannot be said: no permission, a link loop, a name that is too long.
inline std::filesystem::file_type type_of_input(const std::filesystem::path& path) {
  std::error_code code;
  const auto type = std::filesystem::status(path, code).type();
  if (type == std::filesystem::file_type::none && code)
    fail_errno(code.value(), file_use::read, path.string(), ": cannot look at it");
  return type;
}
inline bool input_exists(const std::filesystem::path& path) {
  return type_of_input(path) != std::filesystem::file_type::not_found;
}
inline bool input_is_folder(const std::filesystem::path& path) {
  return type_of_input(path) == std::filesystem::file_type::directory;
}
inline bool input_is_file(const std::filesystem::path& path) {
  return type_of_input(path) == std::filesystem::file_type::regular;
}

}  // namespace depthlens
