// SPDX-License-Identifier: Apache-2.0
// The devices and the precision that a model runs with, and the settings of libtorch that its results
// depend on.
#pragma once

#include <ATen/ATen.h>
#include <c10/core/StreamGuard.h>

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace depthlens::torch_backend {

// Where the libtorch_cpu.so lies that this process runs on; empty where the loader does not say.
std::filesystem::path libtorch_folder();

// Of the library that runs: DEPTHLENS_LIBTORCH may name another than the engine was built with.
std::string libtorch_version();

// libtorch keeps its binary interface within a minor version only ("2.11"). Errors: status::unavailable,
// naming both.
void refuse_other_libtorch(std::string_view running);

// One or more devices, each with a copy of the model: "auto", "cpu", "cuda", "cuda:1", or several with commas
// between. "auto" is the first GPU where CUDA can start, else the CPU. Errors: status::unavailable with the
// reason.
std::vector<at::Device> parse_devices(std::string_view text);

// The type that weights and products have, and whether those of float32 may round to TF32.
struct precision {
  at::ScalarType type;
  bool tf32;
};

// "f32", "bf16", "f16", and on GPUs "tf32": float32 with such products. Errors: status::unavailable.
precision parse_precision(std::string_view text, at::Device device);

// TF32 off unless asked, reductions in full precision, deterministic algorithms where libtorch has them, and
// new tensors that are not filled. For the process.
void set_numeric_options(const precision& form);

// n values of `type`, on the device. To a GPU they go through page-locked memory, and the host goes on
// meanwhile.
at::Tensor to_device(const void* values, std::size_t n, at::ScalarType type, at::Device device);

inline at::Tensor to_device(const at::Tensor& here, at::Device device) {
  return to_device(here.const_data_ptr(), static_cast<std::size_t>(here.numel()), here.scalar_type(), device)
      .view(here.sizes());
}

template <class T>
at::Tensor to_device(const std::vector<T>& values, at::Device device) {
  return to_device(values.data(), values.size(), c10::CppTypeToScalarType<T>::value, device);
}

// On a GPU: while it lives, what this thread asks for goes to a stream of its own, so that the calls of
// several threads overlap, copies of one with products of the other. Afterwards another call gets the stream,
// on whatever thread: libtorch keeps memory by stream, so there are no more of them than calls at once.
class own_stream {
 public:
  explicit own_stream(at::Device device);
  ~own_stream();
  own_stream(const own_stream&) = delete;
  own_stream& operator=(const own_stream&) = delete;

 private:
  std::optional<c10::StreamGuard> guard_;
};

// Waits until all that this thread's stream was asked for is done.
void finish_stream(at::Device device);

// The cudaStream_t of this thread.
void* current_stream(at::Device device);

// Free memory of a CUDA device in bytes, with what libtorch keeps of models that are gone (from 2.10 on); 0
// where it is not known.
std::size_t free_device_memory(at::Device device);

// "cpu, libtorch 2.11.0, deterministic", "cuda:0 (NVIDIA H100 80GB HBM3), libtorch 2.11.0, TF32 off,
// deterministic where libtorch can be": what results may depend on.
std::string describe_devices(const std::vector<at::Device>& devices, const precision& form);

}  // namespace depthlens::torch_backend
