// SPDX-License-Identifier: Apache-2.0
// How much memory a piece of code takes: what it gets from operator new, which a program that links
// allocation_meter.cpp replaces. What C libraries take from malloc is not counted.
#pragma once

#include <cstddef>

namespace depthlens::test {

// Counts the calling thread from construction on; one at a time per thread. Sizes are those that the
// allocator really hands out, in bytes.
class allocation_meter {
 public:
  allocation_meter();
  // The most that was held at once, above what was held at construction.
  std::size_t peak() const;
  // The largest single piece that was asked for.
  std::size_t largest() const;

 private:
  std::ptrdiff_t before_;
};

}  // namespace depthlens::test
