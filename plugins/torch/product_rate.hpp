// SPDX-License-Identifier: Apache-2.0
// How fast plain products are on a device, to measure the model's against.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <vector>

namespace depthlens::torch_backend {

struct product_shape {
  std::int64_t inputs, outputs;
};

// Flop of one timing of products with so many weights in all on the device.
double flops_of_timing(double weights, at::Device device);

// Flop per second of products of these shapes, one after the other on each of `threads` threads (on a GPU: of
// one), with weights packed as the model's are, for about `seconds`; on the CPU large ones are narrowed.
// Errors: status::unavailable for f16 on the CPU, where libtorch has no fast products.
double measure_product_rate(std::vector<product_shape> shapes, at::ScalarType type, at::Device device,
                            std::uint32_t threads, double seconds);

}  // namespace depthlens::torch_backend
