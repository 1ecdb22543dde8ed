// SPDX-License-Identifier: Apache-2.0
// Bounds oneTBB to the threads the user allowed, for the life of the object.
#pragma once

#include <tbb/global_control.h>

namespace depthlens {

// How many of `wanted` threads, this one among them, can be there at once: 1 where no other can be made.
unsigned threads_possible(unsigned wanted);

// oneTBB ends the program where it cannot make a thread, so fewer are used where fewer can be made, with a
// warning. Results do not depend on their number.
class thread_limit {
 public:
  explicit thread_limit(unsigned threads);

 private:
  tbb::global_control control_;
};

}  // namespace depthlens
