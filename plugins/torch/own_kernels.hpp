// SPDX-License-Identifier: Apache-2.0
// Whether this backend's own kernels (cuda_kernels.hpp) serve a device; where not, ATen's operations do.
#pragma once

#include <c10/core/Device.h>

namespace depthlens::torch_backend {

// They were built, and run there; asked once for each device. [any]
bool has_own_kernels(c10::Device device);

}  // namespace depthlens::torch_backend
