// SPDX-License-Identifier: Apache-2.0
// Quantised blocks to float32 on a GPU, a thread for each block, by the same functions as on the host.
#include "cuda_kernels.hpp"

#include "depthlens/base/error.hpp"
#include "depthlens/files/blocks.hpp"

#include <cuda_runtime_api.h>

namespace depthlens::torch_backend {

namespace {

__global__ void decode(dtype type, block_layout block, const std::byte* blocks, std::size_t n,
                       float* values) {
  const std::size_t b = std::size_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (b < n) detail::decode_blocks(type, blocks + b * block.bytes, 1, values + b * block.values);
}

}  // namespace

void decode_on_device(dtype type, const std::byte* blocks, std::size_t bytes, float* values,
                      stream_handle stream) {
  constexpr unsigned threads = 128;
  const block_layout block = block_size(type);
  const std::size_t n = bytes / block.bytes;
  if (n == 0) return;
  decode<<<static_cast<unsigned>((n + threads - 1) / threads), threads, 0,
           static_cast<cudaStream_t>(stream)>>>(type, block, blocks, n, values);
  if (const cudaError_t e = cudaGetLastError(); e != cudaSuccess)
    fail(status::internal, "the unpacking of weights cannot start on the GPU: ", cudaGetErrorString(e));
}

}  // namespace depthlens::torch_backend
