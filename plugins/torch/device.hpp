// SPDX-License-Identifier: Apache-2.0
// The devices and the number type that a model runs with, and the settings of libtorch that its results depend on.
#pragma once

#include <ATen/ATen.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace depthlens::torch_backend {

// One or more devices, each with a copy of the model: "auto", "cpu", "cuda", "cuda:1", or several with commas between.
// "auto" is the first GPU where CUDA can start, else the CPU. Errors: status::unavailable with the reason.
std::vector<at::Device> parse_devices(std::string_view text);

// "f32", "bf16" or "f16". Errors: status::unavailable.
at::ScalarType parse_precision(std::string_view text);

// TF32 off, reductions in full precision, deterministic algorithms where libtorch has them. For the process.
void set_numeric_options();

// Free memory of a CUDA device in bytes; 0 where it is not known.
std::size_t free_device_memory(at::Device device);

// "cpu, libtorch 2.11.0", "cuda:0, libtorch 2.11.0, TF32 off": what results may depend on.
std::string describe_devices(const std::vector<at::Device>& devices);

}  // namespace depthlens::torch_backend
