// SPDX-License-Identifier: Apache-2.0
// The kernels that nvcc compiles, as functions of plain pointers: neither CUDA's headers nor libtorch's are
// needed to call them. They queue work on a stream and return at once.
#pragma once

#include "depthlens/backend/row_state.hpp"
#include "depthlens/files/tensor.hpp"

#include <cstddef>
#include <cstdint>

namespace depthlens::torch_backend {

// A cudaStream_t.
using stream_handle = void*;

// Logits (n, width) on the device of the rows first..first+n-1 of a stack, ids first_id.., all of `kind`.
struct device_tile {
  const float* logits;
  std::int64_t n, width, first;
  std::int32_t first_id;
  row_kind kind;
  std::int64_t n_sites;
  float* final_weights;  // (n_sites, width): written by final, read by layer; NULL = no KL wanted
};

// Whether the kernels can run on this thread's device: they were built for its architecture, and its driver
// is not older than the CUDA runtime in them. [any]
bool kernels_run_here() noexcept;

// Adds the tile to the states of all rows, which lie on the device as what they point to does
// (reduce_block.hpp). Errors: status::internal if the kernel cannot be launched.
void reduce_on_device(const device_tile& tile, row_state* states, stream_handle stream);

// Whole blocks of a quantised type, `bytes` on the device, to float32 (values) there, as dequantize() does.
// Errors: as above.
void decode_on_device(dtype type, const std::byte* blocks, std::size_t bytes, float* values,
                      stream_handle stream);

}  // namespace depthlens::torch_backend
