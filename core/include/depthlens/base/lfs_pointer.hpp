// SPDX-License-Identifier: Apache-2.0
// What `git clone` leaves in place of a large file where git-lfs is not installed: a short text naming it.
#pragma once

#include <cstddef>
#include <string_view>

namespace depthlens {

// What is said to whoever opens one; the caller names the file before it.
inline constexpr std::string_view lfs_pointer_text =
    ": is a git-lfs pointer, not the file itself: get it with \"git lfs pull\" in its folder, or "
    "download the model with \"hf download\"";

// `file`: the whole of a file. The format allows a pointer no more than 1024 bytes.
inline bool is_lfs_pointer(std::string_view file) noexcept {
  constexpr std::size_t longest = 1024;
  return file.size() <= longest && file.starts_with("version https://git-lfs.github.com/spec/");
}

}  // namespace depthlens
