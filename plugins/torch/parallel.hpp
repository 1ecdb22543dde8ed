// SPDX-License-Identifier: Apache-2.0
// Loops over threads of our own, each with libtorch on itself alone: libtorch's threads wait for each other
// in busy loops, many times in a model, and lose ten times the time where the machine has other work.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

namespace depthlens::torch_backend {

// Calls fn(i) for i = 0..n-1 on up to `threads` threads, this one among them. The first exception is thrown
// again when all have ended.
void for_each_index(std::size_t n, std::uint32_t threads, const std::function<void(std::size_t)>& fn);

}  // namespace depthlens::torch_backend
