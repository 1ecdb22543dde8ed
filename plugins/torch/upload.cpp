// SPDX-License-Identifier: Apache-2.0
#include "upload.hpp"

#include "device.hpp"
#include "own_kernels.hpp"
#include "parallel.hpp"

#if defined(DEPTHLENS_TORCH_CUDA_KERNEL)
#include "cuda_kernels.hpp"
#endif

#include <c10/core/DeviceGuard.h>

#include <algorithm>
#include <atomic>
#include <optional>

namespace depthlens::torch_backend {

namespace {

constexpr std::int64_t chunk_bytes = std::int64_t{32} << 20;  // of page-locked memory for each copy

// Rows of the part, unpacked to float32 on the way to `out`.
void unpack_on_host(const weight_view& part, const at::Tensor& out, std::uint32_t threads) {
  constexpr std::int64_t step = 256;
  const auto steps = static_cast<std::size_t>((out.size(0) + step - 1) / step);
  for_each_index(steps, threads, [&](std::size_t i) {
    const std::int64_t first = static_cast<std::int64_t>(i) * step, n = std::min(step, out.size(0) - first);
    const at::Tensor to = out.narrow(0, first, n);
    const bool direct = to.scalar_type() == at::kFloat;
    const at::Tensor values = direct ? to : at::empty({n, out.size(1)}, at::kFloat);
    part.read_rows(static_cast<std::size_t>(first), static_cast<std::size_t>(n), values.data_ptr<float>());
    if (!direct) to.copy_(values);
  });
}

std::optional<at::ScalarType> plain_type(dtype type) {
  switch (type) {
    case dtype::f32:
      return at::kFloat;
    case dtype::f16:
      return at::kHalf;
    case dtype::bf16:
      return at::kBFloat16;
    default:
      return std::nullopt;
  }
}

bool becomes_numbers_there(const weight_view& part, at::Device device) {
  return device.type() == at::kCUDA && part.is_contiguous() &&
         (plain_type(part.type) || has_own_kernels(device));
}

// `bytes` at `from`, whole blocks, as numbers of any type (values) on the device.
at::Tensor numbers_of(dtype type, const std::byte* from, std::size_t bytes, std::int64_t values,
                      at::Device device) {
  if (const auto plain = plain_type(type))
    return to_device(from, static_cast<std::size_t>(values), *plain, device);
  at::Tensor out = at::empty({values}, at::TensorOptions(at::kFloat).device(device));
#if defined(DEPTHLENS_TORCH_CUDA_KERNEL)
  const at::Tensor blocks = to_device(from, bytes, at::kByte, device);
  const c10::DeviceGuard guard(device);
  decode_on_device(type, static_cast<const std::byte*>(blocks.const_data_ptr()), bytes,
                   out.mutable_data_ptr<float>(), current_stream(device));
#endif
  return out;
}

// Page-locked memory is free again when what was copied from it has arrived, and the host is faster: without
// a wait now and then as much would be in flight as the model has. All threads together.
void wait_for_room(std::size_t bytes, at::Device device) {
  constexpr std::size_t most = 4 * static_cast<std::size_t>(chunk_bytes);
  static std::atomic<std::size_t> in_flight{0};
  if ((in_flight += bytes) < most) return;
  finish_stream(device);
  in_flight = 0;
}

// The bytes of some rows after the other travel while those before become numbers.
void unpack_on_device(const weight_view& part, const at::Tensor& out) {
  const block_layout block = block_size(part.type);
  const std::size_t row_bytes = part.columns / block.values * block.bytes;
  const std::int64_t rows = out.size(0),
                     step = std::max<std::int64_t>(1, chunk_bytes / static_cast<std::int64_t>(row_bytes));
  for (std::int64_t row = 0; row < rows; row += step) {
    const std::int64_t n = std::min(step, rows - row);
    const std::byte* from = part.data + static_cast<std::size_t>(row) * row_bytes;
    const std::size_t bytes = static_cast<std::size_t>(n) * row_bytes;
    const at::Tensor values = numbers_of(part.type, from, bytes, n * out.size(1), out.device());
    out.narrow(0, row, n).copy_(values.view({n, out.size(1)}));
    wait_for_room(bytes, out.device());
  }
}

}  // namespace

at::Tensor upload(const std::vector<weight_view>& parts, at::ScalarType type, at::Device device,
                  std::uint32_t threads) {
  std::int64_t rows = 0;
  for (const weight_view& part : parts) rows += static_cast<std::int64_t>(part.rows);
  const auto columns = static_cast<std::int64_t>(parts[0].columns);
  at::Tensor out = at::empty({rows, columns}, at::TensorOptions(type).device(device));
  std::int64_t first = 0;
  for (const weight_view& part : parts) {
    const auto n = static_cast<std::int64_t>(part.rows);
    const at::Tensor to = out.narrow(0, first, n);
    if (becomes_numbers_there(part, device)) {
      unpack_on_device(part, to);
    } else if (device.type() == at::kCPU) {
      unpack_on_host(part, to, threads);
    } else {
      const at::Tensor here = at::empty({n, columns}, type);
      unpack_on_host(part, here, threads);
      to.copy_(here);
    }
    first += n;
  }
  return out;
}

}  // namespace depthlens::torch_backend
