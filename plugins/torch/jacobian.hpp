// SPDX-License-Identifier: Apache-2.0
// Derivatives of the states behind the last block by those behind each block before it, by libtorch's
// autograd through the blocks as they are (block.cpp). A backward pass makes as many rows of each Jacobian as
// there are copies of the pack: in copy c the gradient of one output, the same at every position read, goes
// in; what comes out at a position is then the sum over the positions behind it.
#pragma once

#include "kept_weights.hpp"
#include "pass.hpp"

#include "depthlens/abi/jacobian.h"

#include <ATen/ATen.h>

#include <cstdint>
#include <vector>

namespace depthlens::torch_backend {

// One thread. The model outlives it.
class jacobian {
 public:
  // Errors: status::unavailable for a model of one block.
  jacobian(const model& of, const dlens_jacobian_options& options);

  // As the functions of dlens_jacobian.
  void begin(const dlens_batch& batch, std::uint32_t copies);
  void rows(std::uint32_t first, std::uint32_t count, float* values) const;

 private:
  const model& model_;
  const std::uint32_t threads_;
  const model_weights weights_;
  model::replica on_;  // the first device, with these weights
  std::int64_t copies_ = 0;
  at::Tensor sites_;                 // (copies P) in the rows of a source
  at::Tensor target_;                // (copies P, D) behind the last block
  std::vector<at::Tensor> sources_;  // (n - 1) of (copies T, D)
};

}  // namespace depthlens::torch_backend
