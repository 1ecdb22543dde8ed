// SPDX-License-Identifier: Apache-2.0
#include "parallel.hpp"

#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace depthlens::torch_backend {

void for_each_index(std::size_t n, std::uint32_t threads, const std::function<void(std::size_t)>& fn) {
  std::atomic<std::size_t> next{0};
  std::mutex guard;
  std::exception_ptr failed;
  const auto work = [&] {
    try {
      const c10::InferenceMode inference;
      at::set_num_threads(1);
      for (std::size_t i = next++; i < n; i = next++) fn(i);
    } catch (...) {
      next = n;
      const std::lock_guard lock(guard);
      if (!failed) failed = std::current_exception();
    }
  };
  {
    std::vector<std::jthread> others;
    const std::size_t wanted = std::min<std::size_t>(n, std::clamp(threads, 1u, 256u));
    for (std::size_t t = 1; t < wanted; ++t) others.emplace_back(work);
    work();
  }
  if (failed) std::rethrow_exception(failed);
}

}  // namespace depthlens::torch_backend
