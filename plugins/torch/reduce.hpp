// SPDX-License-Identifier: Apache-2.0
// Tiles of logits to what readings need, on the device where the tiles are. On the CPU by the vector kernels
// of the cpu backend, on a GPU by one kernel (reduce_cuda.cu) where it was built and runs, else by ATen's
// operations.
#pragma once

#include "depthlens/backend/row_table.hpp"

#include <ATen/ATen.h>

#include <cstdint>
#include <memory>

namespace depthlens::torch_backend {

class tile_reducer {
 public:
  virtual ~tile_reducer() = default;
  // Takes the logits (n, width) of rows first..first+n-1, of ids first_id..; all of `kind`. Final rows come
  // before the layers of the same tile, and KL is wanted if with_kl.
  virtual void add(const at::Tensor& logits, std::int64_t first, std::int64_t first_id, row_kind kind,
                   bool with_kl) = 0;
  // The table's states hold the results afterwards.
  virtual void finish() = 0;
};

// `table` outlives the reducer, which begins with the states as they are.
std::unique_ptr<tile_reducer> make_reducer(row_table& table, at::Device device);

// By ATen's operations on any device; make_reducer takes it where there is nothing faster.
std::unique_ptr<tile_reducer> make_aten_reducer(row_table& table, at::Device device);

}  // namespace depthlens::torch_backend
