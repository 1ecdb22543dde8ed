// SPDX-License-Identifier: Apache-2.0
#include "support/allocation_meter.hpp"

#include <malloc.h>

#include <algorithm>
#include <cstdlib>
#include <new>

namespace {

// Of this thread, in bytes. Memory that another thread frees makes `live` too large there, never too small
// here.
thread_local std::ptrdiff_t live = 0, peak_live = 0;
thread_local std::size_t largest_piece = 0;

void* counted(void* p) noexcept {
  if (p == nullptr) return p;
  live += static_cast<std::ptrdiff_t>(::malloc_usable_size(p));
  peak_live = std::max(peak_live, live);
  return p;
}

void* allocate(std::size_t size) {
  largest_piece = std::max(largest_piece, size);
  void* const p = counted(std::malloc(size == 0 ? 1 : size));
  if (p == nullptr) throw std::bad_alloc();
  return p;
}

void* allocate(std::size_t size, std::align_val_t alignment) {
  largest_piece = std::max(largest_piece, size);
  void* p = nullptr;
  const auto to = std::max(static_cast<std::size_t>(alignment), sizeof(void*));
  if (::posix_memalign(&p, to, size == 0 ? 1 : size) != 0) throw std::bad_alloc();
  return counted(p);
}

void release(void* p) noexcept {
  if (p == nullptr) return;
  live -= static_cast<std::ptrdiff_t>(::malloc_usable_size(p));
  std::free(p);
}

}  // namespace

void* operator new(std::size_t size) { return allocate(size); }
void* operator new[](std::size_t size) { return allocate(size); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return counted(std::malloc(size)); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return counted(std::malloc(size)); }
void* operator new(std::size_t size, std::align_val_t to) { return allocate(size, to); }
void* operator new[](std::size_t size, std::align_val_t to) { return allocate(size, to); }
void operator delete(void* p) noexcept { release(p); }
void operator delete[](void* p) noexcept { release(p); }
void operator delete(void* p, std::size_t) noexcept { release(p); }
void operator delete[](void* p, std::size_t) noexcept { release(p); }
void operator delete(void* p, const std::nothrow_t&) noexcept { release(p); }
void operator delete[](void* p, const std::nothrow_t&) noexcept { release(p); }
void operator delete(void* p, std::align_val_t) noexcept { release(p); }
void operator delete[](void* p, std::align_val_t) noexcept { release(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { release(p); }
void operator delete[](void* p, std::size_t, std::align_val_t) noexcept { release(p); }

namespace depthlens::test {

allocation_meter::allocation_meter() : before_(live) {
  peak_live = live;
  largest_piece = 0;
}

std::size_t allocation_meter::peak() const {
  return static_cast<std::size_t>(std::max<std::ptrdiff_t>(peak_live - before_, 0));
}

std::size_t allocation_meter::largest() const { return largest_piece; }

}  // namespace depthlens::test
