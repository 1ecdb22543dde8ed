// SPDX-License-Identifier: Apache-2.0
#include "own_kernels.hpp"

#if defined(DEPTHLENS_TORCH_CUDA_KERNEL)
#include "cuda_kernels.hpp"
#endif

#include <c10/core/DeviceGuard.h>

#include <map>
#include <mutex>

namespace depthlens::torch_backend {

#if !defined(DEPTHLENS_TORCH_CUDA_KERNEL)
namespace {
bool kernels_run_here() { return false; }
}  // namespace
#endif

bool has_own_kernels(c10::Device device) {
  if (device.type() != c10::kCUDA) return false;
  static std::mutex guard;
  static std::map<c10::DeviceIndex, bool> known;
  const std::lock_guard lock(guard);
  const auto [at, fresh] = known.try_emplace(device.index(), false);
  if (fresh) {
    const c10::DeviceGuard current(device);
    at->second = kernels_run_here();
  }
  return at->second;
}

}  // namespace depthlens::torch_backend
