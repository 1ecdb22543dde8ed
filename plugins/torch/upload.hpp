// SPDX-License-Identifier: Apache-2.0
// Tensors of the model file to a matrix on a device: as they lie in the file where they can become numbers
// there, else unpacked on the host.
#pragma once

#include "depthlens/backend/weight_view.hpp"

#include <ATen/ATen.h>

#include <cstdint>
#include <vector>

namespace depthlens::torch_backend {

// The views, all of as many columns, one below the other: (rows, columns) of `type` on `device`; what is
// unpacked on the host, on up to `threads` threads.
at::Tensor upload(const std::vector<weight_view>& parts, at::ScalarType type, at::Device device,
                  std::uint32_t threads);

}  // namespace depthlens::torch_backend
