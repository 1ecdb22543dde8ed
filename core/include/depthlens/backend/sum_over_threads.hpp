// SPDX-License-Identifier: Apache-2.0
// For backends: what several threads reach together, for the rate of a machine.
#pragma once

#include <cstdint>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace depthlens {

// The sum of measure() over n threads of their own that run at once. The last exception is thrown again once
// all have ended.
template <class Measure>
double sum_over_threads(std::uint32_t n, const Measure& measure) {
  std::mutex guard;
  double sum = 0;
  std::exception_ptr failed;
  const auto run = [&] {
    try {
      const double value = measure();
      const std::lock_guard lock(guard);
      sum += value;
    } catch (...) {
      const std::lock_guard lock(guard);
      failed = std::current_exception();
    }
  };
  {
    std::vector<std::jthread> threads;
    for (std::uint32_t t = 0; t < n; ++t) threads.emplace_back(run);
  }
  if (failed) std::rethrow_exception(failed);
  return sum;
}

}  // namespace depthlens
