// SPDX-License-Identifier: Apache-2.0
#include "upload.hpp"

#include "device.hpp"
#include "model_sizes.hpp"
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

// Rows of the part from first_row on, unpacked to float32 on the way to `out`.
void unpack_on_host(const weight_view& part, std::size_t first_row, const at::Tensor& out,
                    std::uint32_t threads) {
  constexpr std::int64_t step = 256;
  const auto steps = static_cast<std::size_t>((out.size(0) + step - 1) / step);
  for_each_index(steps, threads, [&](std::size_t i) {
    const std::int64_t first = static_cast<std::int64_t>(i) * step, n = std::min(step, out.size(0) - first);
    const at::Tensor to = out.narrow(0, first, n);
    const bool direct = to.scalar_type() == at::kFloat;
    const at::Tensor values = direct ? to : at::empty({n, out.size(1)}, at::kFloat);
    part.read_rows(first_row + static_cast<std::size_t>(first), static_cast<std::size_t>(n),
                   values.data_ptr<float>());
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
  // Pairs of blocks have their scales elsewhere, which the kernels do not know.
  return device.type() == at::kCUDA && part.is_contiguous() && part.type != dtype::mxfp4_pairs &&
         (plain_type(part.type) || has_own_kernels(device));
}

// `bytes` at `from`, whole blocks, as numbers of any type (values) on the device.
at::Tensor numbers_of(dtype type, const std::byte* from, [[maybe_unused]] std::size_t bytes,
                      std::int64_t values, at::Device device) {
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
  constexpr std::size_t most = 4 * chunk_bytes;
  static std::atomic<std::size_t> in_flight{0};
  if ((in_flight += bytes) < most) return;
  finish_stream(device);
  in_flight = 0;
}

// fn(first, n) for rows of which `values` numbers and `bytes` bytes each may be on their way at a time.
template <class Function>
void for_pieces(std::size_t rows, std::size_t values, std::size_t bytes, Function&& fn) {
  const std::size_t step = std::max<std::size_t>(1, std::min(chunk_bytes / bytes, chunk_values / values));
  for (std::size_t first = 0; first < rows; first += step) fn(first, std::min(step, rows - first));
}

at::Tensor rows_of(const at::Tensor& out, std::size_t first, std::size_t n) {
  return out.narrow(0, static_cast<std::int64_t>(first), static_cast<std::int64_t>(n));
}

// The bytes of some rows after the other travel while those before become numbers.
void unpack_on_device(const weight_view& part, row_range rows, const at::Tensor& out) {
  const block_layout block = block_size(part.type);
  const std::size_t row_bytes = part.columns / block.values * block.bytes;
  for_pieces(rows.n, part.columns, row_bytes, [&](std::size_t first, std::size_t n) {
    const std::byte* from = part.data + (rows.first + first) * row_bytes;
    const at::Tensor to = rows_of(out, first, n);
    to.copy_(numbers_of(part.type, from, n * row_bytes, to.numel(), out.device()).view(to.sizes()));
    wait_for_room(n * row_bytes, out.device());
  });
}

// Some rows after the other are unpacked in page-locked memory while those before travel.
void unpack_on_the_way(const weight_view& part, row_range rows, const at::Tensor& out,
                       std::uint32_t threads) {
  const std::size_t row_bytes = part.columns * out.element_size();
  for_pieces(rows.n, part.columns, row_bytes, [&](std::size_t first, std::size_t n) {
    const at::Tensor to = rows_of(out, first, n);
    const at::Tensor here =
        at::empty(to.sizes(), at::TensorOptions(out.scalar_type()).pinned_memory(out.is_cuda()));
    unpack_on_host(part, rows.first + first, here, threads);
    to.copy_(here, /*non_blocking=*/true);
    wait_for_room(n * row_bytes, out.device());
  });
}

}  // namespace

at::Tensor upload(const std::vector<weight_view>& parts, row_range rows, at::ScalarType type,
                  at::Device device, std::uint32_t threads) {
  const auto n_rows = static_cast<std::int64_t>(parts.size() * rows.n);
  const auto columns = static_cast<std::int64_t>(parts[0].columns);
  at::Tensor out = at::empty({n_rows, columns}, at::TensorOptions(type).device(device));
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const at::Tensor to = rows_of(out, i * rows.n, rows.n);
    if (becomes_numbers_there(parts[i], device)) {
      unpack_on_device(parts[i], rows, to);
    } else if (device.type() == at::kCPU) {
      unpack_on_host(parts[i], rows.first, to, threads);
    } else {
      unpack_on_the_way(parts[i], rows, to, threads);
    }
  }
  return out;
}

}  // namespace depthlens::torch_backend
