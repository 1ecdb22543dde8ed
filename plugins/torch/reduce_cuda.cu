// SPDX-License-Identifier: Apache-2.0
// The fused reduction of a tile on a GPU: a block of threads for each row. What the threads do is in
// reduce_block.hpp.
#include "cuda_kernels.hpp"
#include "reduce_block.hpp"

#include "depthlens/base/error.hpp"

#include <cuda_runtime_api.h>

namespace depthlens::torch_backend {

namespace {

// A lane is a thread; behind each phase all wait for each other.
class thread_block {
 public:
  template <class T>
  struct own {
    __device__ T& operator[](int) { return value; }
    T value;
  };

  __device__ explicit thread_block(block_memory& memory) : memory_(memory) {}
  __device__ block_memory& memory() { return memory_; }
  template <class Phase>
  __device__ void each(const Phase& phase) {
    phase(static_cast<int>(threadIdx.x));
    __syncthreads();
  }

 private:
  block_memory& memory_;
};

__global__ void __launch_bounds__(block_lanes) reduce_rows(device_tile tile, row_state* states) {
  __shared__ block_memory memory;
  thread_block block(memory);
  const std::int64_t row = tile.first + blockIdx.x;
  const float* logits = tile.logits + blockIdx.x * tile.width;
  float* weights = tile.final_weights ? tile.final_weights + row % tile.n_sites * tile.width : nullptr;
  for (std::int64_t at = 0; at < tile.width; at += segment_values) {
    const std::int64_t left = tile.width - at;
    reduce_segment(block,
                   {.logits = logits + at,
                    .n = left < segment_values ? left : segment_values,
                    .first_id = tile.first_id + static_cast<std::int32_t>(at),
                    .kind = tile.kind,
                    .final_weights = weights ? weights + at : nullptr},
                   states[row]);
  }
}

}  // namespace

// Of one kernel for all: they are built together.
bool kernels_run_here() noexcept {
  cudaFuncAttributes found{};
  const bool runs = cudaFuncGetAttributes(&found, reduce_rows) == cudaSuccess;
  if (!runs) cudaGetLastError();  // the next launch would find it
  return runs;
}

void reduce_on_device(const device_tile& tile, row_state* states, stream_handle stream) {
  if (tile.n == 0) return;
  reduce_rows<<<static_cast<unsigned>(tile.n), block_lanes, 0, static_cast<cudaStream_t>(stream)>>>(tile,
                                                                                                    states);
  if (const cudaError_t e = cudaGetLastError(); e != cudaSuccess)
    fail(status::internal, "the reduction of logits cannot start on the GPU: ", cudaGetErrorString(e));
}

}  // namespace depthlens::torch_backend
