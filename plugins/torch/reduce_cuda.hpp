// SPDX-License-Identifier: Apache-2.0
// The reducer of GPUs, where its kernel was built; see reduce.hpp.
#pragma once

#include "reduce.hpp"

namespace depthlens::torch_backend {

std::unique_ptr<tile_reducer> make_cuda_reducer(row_table& table, at::Device device);

}  // namespace depthlens::torch_backend
