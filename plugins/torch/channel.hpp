// SPDX-License-Identifier: Apache-2.0
// The channel part of a block: dense, experts (experts.hpp), or both.
#pragma once

#include "block_work.hpp"

#include <ATen/ATen.h>

#include <cstdint>

namespace depthlens::torch_backend {

// activation: DLENS_ACTIVATION_..., of those that take one value.
at::Tensor activate(const at::Tensor& x, std::uint32_t activation);

// x (rows, D) -> (rows, D) float32.
at::Tensor dense_output(const block_work& work, const channel_parts<linear, linear>& parts,
                        const at::Tensor& x);

// h (rows, D) float32, what entered this part of the block; x (rows, D), its norm -> (rows, D) float32.
at::Tensor channel_output(const block_work& work, const at::Tensor& h, const at::Tensor& x);

}  // namespace depthlens::torch_backend
