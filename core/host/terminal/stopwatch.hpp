// SPDX-License-Identifier: Apache-2.0
// Wall time since it was made, for what users are told and for run.json.
#pragma once

#include <chrono>

namespace depthlens {

class stopwatch {
 public:
  double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace depthlens
