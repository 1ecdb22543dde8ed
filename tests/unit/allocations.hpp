// SPDX-License-Identifier: Apache-2.0
// The largest single allocation by operator new of this thread, for tests of readers that may not believe a file's
// sizes. The replaced operators are in allocations.cpp.
#pragma once

#include <cstddef>

namespace depthlens::test {

// Starts anew at 0.
void forget_allocations();
std::size_t largest_allocation();

}  // namespace depthlens::test
