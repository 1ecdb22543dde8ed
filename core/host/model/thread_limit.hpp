// SPDX-License-Identifier: Apache-2.0
// Bounds oneTBB to the threads the user allowed, for the life of the object.
#pragma once

#include <tbb/global_control.h>

#include <memory>

namespace depthlens {

// How many of `wanted` threads, this one among them, can be there at once: 1 where no other can be made.
unsigned threads_possible(unsigned wanted);

// oneTBB ends the program where it cannot make a thread, so fewer are used where fewer can be made, with a
// warning, and to the program's end. Results do not depend on their number.
class thread_limit {
 public:
  explicit thread_limit(unsigned threads);
  ~thread_limit();
  thread_limit(const thread_limit&) = delete;
  thread_limit& operator=(const thread_limit&) = delete;

 private:
  thread_limit(unsigned wanted, unsigned possible);

  const bool for_good_;  // no more threads can be made, so oneTBB is never to try
  std::unique_ptr<tbb::global_control> control_;
};

}  // namespace depthlens
