// SPDX-License-Identifier: Apache-2.0
// Tiles of logits to what readings need, on the device where the tiles are. On the CPU by the vector kernels of the cpu
// backend, on a GPU by one kernel (reduce_cuda.cu) where it was built, else by ATen's operations.
#pragma once

#include "cpu/kernels.hpp"

#include <ATen/ATen.h>

#include <cstdint>
#include <memory>
#include <vector>

namespace depthlens::torch_backend {

using cpu::row_kind;
using cpu::row_state;
using cpu::target_state;
using cpu::top_entry;

// The rows of one stack and what has been seen of them. Row r belongs to site r % n_sites; the first n_sites rows are
// the final outputs. `states` point into `targets` and `tops`.
struct row_table {
  std::int64_t n_sites = 0;
  std::uint32_t top_k = 0;
  std::vector<row_state> states;
  std::vector<target_state> targets;
  std::vector<top_entry> tops;
};

class tile_reducer {
 public:
  virtual ~tile_reducer() = default;
  // Takes the logits (n, width) of rows first..first+n-1, of ids first_id..; all of `kind`. Final rows come before the
  // layers of the same tile, and KL is wanted if with_kl.
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
