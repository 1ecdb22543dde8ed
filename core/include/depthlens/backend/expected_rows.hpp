// SPDX-License-Identifier: Apache-2.0
// For backends that stream weights: rows of a tensor that will be read soon are asked of the disk meanwhile.
#pragma once

#include "depthlens/backend/weight_view.hpp"

#if defined(__linux__)
#include <sys/mman.h>
#include <unistd.h>
#endif

#include <cstddef>
#include <cstdint>
#include <span>

namespace depthlens {

// Of rows first..first+n-1, the pages of the file that they lie in. Does not wait; nothing where the system
// has no such call. Any thread.
inline void expect_rows([[maybe_unused]] const weight_view& view, [[maybe_unused]] std::size_t first,
                        [[maybe_unused]] std::size_t n) {
#if defined(__linux__)
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const std::span<const std::byte> bytes = view.bytes_of_rows(first, n);
  const std::size_t in_page = reinterpret_cast<std::uintptr_t>(bytes.data()) % page;
  ::madvise(const_cast<std::byte*>(bytes.data() - in_page), bytes.size() + in_page, MADV_WILLNEED);
#endif
}

}  // namespace depthlens
