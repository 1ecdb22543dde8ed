// SPDX-License-Identifier: Apache-2.0
// Tensors of the model file to a matrix on a device: as they lie in the file where they can become numbers
// there, else unpacked on the host. To a GPU all goes through page-locked memory, piece by piece, on the
// stream of the calling thread; the host does not wait for the last pieces.
#pragma once

#include "depthlens/backend/weight_view.hpp"

#include <ATen/ATen.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace depthlens::torch_backend {

struct row_range {
  std::size_t first, n;
};

// The given rows of each of the views, all of as many columns, one view below the other: (rows, columns) of
// `type` on `device`; what is unpacked on the host, on up to `threads` threads.
at::Tensor upload(const std::vector<weight_view>& parts, row_range rows, at::ScalarType type,
                  at::Device device, std::uint32_t threads);

}  // namespace depthlens::torch_backend
