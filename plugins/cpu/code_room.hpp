// SPDX-License-Identifier: Apache-2.0
// oneDNN compiles a kernel into pages that it asks the system for, and writes there without a look at what it
// got: where there are none, that is a segmentation fault. So room is asked for right before.
#pragma once

#include "depthlens/base/error.hpp"

#include <sys/mman.h>

#include <cstddef>

namespace depthlens::cpu {

// Throws status::internal where the kernels of a primitive would find no room. Other threads may take it in
// between; the program's last words are for that.
inline void require_code_room() {
  constexpr std::size_t room = 4u << 20;  // of all kernels of one primitive, with some to spare
  void* const pages = ::mmap(nullptr, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED)
    fail(status::internal,
         "out of memory: there is no room for compiled matrix products; give more "
         "memory or address space (ulimit -d, ulimit -v)");
  ::munmap(pages, room);
}

}  // namespace depthlens::cpu
