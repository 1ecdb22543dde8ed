// SPDX-License-Identifier: Apache-2.0
// Bounds oneTBB to the threads the user allowed, for the life of the object.
#pragma once

#include <tbb/global_control.h>

namespace depthlens {

class thread_limit {
 public:
  explicit thread_limit(unsigned threads) : control_(tbb::global_control::max_allowed_parallelism, threads) {}

 private:
  tbb::global_control control_;
};

}  // namespace depthlens
