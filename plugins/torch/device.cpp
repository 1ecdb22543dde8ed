// SPDX-License-Identifier: Apache-2.0
#include "device.hpp"

#include "own_kernels.hpp"

#include "depthlens/base/error.hpp"

#include <ATen/Context.h>
#include <ATen/Version.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <c10/core/DeviceGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <torch/csrc/api/include/torch/version.h>
#if TORCH_VERSION_MAJOR > 2 || TORCH_VERSION_MINOR >= 10
#include <c10/core/CachingDeviceAllocator.h>
#endif

#include <dlfcn.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>

namespace depthlens::torch_backend {

std::filesystem::path libtorch_folder() {
  Dl_info found{};
  const auto* const inside = reinterpret_cast<const void*>(&at::globalContext);
  if (::dladdr(inside, &found) == 0 || found.dli_fname == nullptr) return {};
  return std::filesystem::path(found.dli_fname).parent_path();
}

namespace {

// libtorch's CUDA part registers itself when it is opened. Empty = it is there and finds a GPU.
std::string cuda_problem() {
  static const std::string problem = [] {
    if (void* driver = ::dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL); driver == nullptr)
      return std::string("there is no NVIDIA driver (libcuda.so.1)");
    // For products that are deterministic; without it libtorch warns at every one of them.
    ::setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", /*overwrite=*/0);
    // By its name alone that of another libtorch could be found.
    const std::filesystem::path library = libtorch_folder() / "libtorch_cuda.so";
    if (::dlopen(library.c_str(), RTLD_NOW | RTLD_GLOBAL) == nullptr) {
      const char* reason = ::dlerror();
      return cat("this libtorch has no usable CUDA part (", reason ? reason : "libtorch_cuda.so", ")");
    }
    try {
      if (at::detail::getCUDAHooks().deviceCount() > 0) return std::string();
      return std::string("CUDA starts but finds no GPU (is CUDA_VISIBLE_DEVICES set?)");
    } catch (const c10::Error& e) {
      return cat("CUDA cannot start: ", e.what_without_backtrace());
    }
  }();
  return problem;
}

at::Device parse_device(std::string_view text) {
  if (text == "auto") return cuda_problem().empty() ? at::Device(at::kCUDA, 0) : at::Device(at::kCPU);
  if (text == "cpu") return at::Device(at::kCPU);
  const bool numbered = text.starts_with("cuda:");
  std::size_t index = 0;
  for (const char c : numbered ? text.substr(5) : "0") {
    if (c < '0' || c > '9' || index > 1000)
      fail(status::unavailable, "--device ", text, ": expected cuda:NUMBER");
    index = index * 10 + static_cast<std::size_t>(c - '0');
  }
  if (text != "cuda" && (!numbered || text.size() == 5))
    fail(status::unavailable, "the torch backend has no device ", text,
         "; it has auto, cpu, cuda and cuda:NUMBER");
  if (!cuda_problem().empty()) fail(status::unavailable, "--device ", text, ": ", cuda_problem());
  const auto n = static_cast<std::size_t>(at::detail::getCUDAHooks().deviceCount());
  if (index >= n)
    fail(status::unavailable, "--device ", text, ": this machine has ", n, " GPUs, counted from 0");
  return at::Device(at::kCUDA, static_cast<c10::DeviceIndex>(index));
}

}  // namespace

std::string libtorch_version() {
  const std::string about = at::show_config();
  constexpr std::string_view name = "TORCH_VERSION=";
  const std::size_t found = about.find(name);
  if (found == std::string::npos) return "of unknown version";
  const std::size_t begin = found + name.size();
  return about.substr(begin, about.find(',', begin) - begin);
}

void refuse_other_libtorch(std::string_view running) {
  constexpr std::string_view built = TORCH_VERSION;
  const auto release = [](std::string_view v) { return v.substr(0, v.find('.', v.find('.') + 1)); };
  if (release(running) != release(built))
    fail(status::unavailable, "the torch backend was built with libtorch ", built, ", and this is ", running,
         "; build it again with -DDEPTHLENS_TORCH=ON, or name the right one with DEPTHLENS_LIBTORCH=DIR");
}

std::vector<at::Device> parse_devices(std::string_view text) {
  std::vector<at::Device> out;
  while (true) {
    const auto comma = text.find(',');
    out.push_back(parse_device(text.substr(0, comma)));
    if (out.back().type() != out.front().type())
      fail(status::unavailable, "the CPU and GPUs do not share a run; name devices of one kind");
    if (out.back().is_cuda() && std::find(out.begin(), out.end() - 1, out.back()) != out.end() - 1)
      fail(status::unavailable, "--device names ", out.back().str(),
           " twice; a GPU has one copy of the model");
    if (comma == std::string_view::npos) return out;
    text.remove_prefix(comma + 1);
  }
}

precision parse_precision(std::string_view text, at::Device device) {
  if (text == "f32") return {at::kFloat, false};
  if (text == "bf16") return {at::kBFloat16, false};
  if (text == "f16") return {at::kHalf, false};
  if (text == "tf32" && device.type() == at::kCUDA) return {at::kFloat, true};
  fail(status::unavailable, "the torch backend computes in f32, bf16 or f16, on GPUs also in tf32; not in ",
       text, " on ", device.str());
}

void set_numeric_options(const precision& form) {
  at::Context& context = at::globalContext();
  context.setAllowTF32CuBLAS(form.tf32);
  context.setAllowTF32CuDNN(form.tf32);
  context.setAllowFP16ReductionCuBLAS(false);
  context.setAllowBF16ReductionCuBLAS(false);
  context.setSDPUseCuDNN(false);  // it compiles a plan for each shape, and each chunk of a tree has its own
  context.setDeterministicAlgorithms(true, /*warn_only=*/true);
  context.setDeterministicFillUninitializedMemory(false);  // with NaN, 0.2 ms for each MB of every new tensor
}

at::Tensor to_device(const void* values, std::size_t n, at::ScalarType type, at::Device device) {
  const bool gpu = device.type() == at::kCUDA;
  const at::Tensor here =
      at::empty({static_cast<std::int64_t>(n)}, at::TensorOptions(type).pinned_memory(gpu && n > 0));
  if (n > 0) std::memcpy(here.mutable_data_ptr(), values, here.nbytes());
  return gpu ? here.to(device, type, /*non_blocking=*/true) : here;
}

namespace {

// Those of all devices that no call uses.
class free_streams {
 public:
  c10::Stream take(at::Device device) {
    const std::lock_guard lock(guard_);
    std::vector<c10::Stream>& here = streams_[device.index()];
    if (here.empty()) return c10::impl::VirtualGuardImpl(device.type()).getStreamFromGlobalPool(device);
    const c10::Stream last = here.back();
    here.pop_back();
    return last;
  }
  void give_back(c10::Stream stream) {
    const std::lock_guard lock(guard_);
    streams_[stream.device_index()].push_back(stream);
  }

 private:
  std::mutex guard_;
  std::map<c10::DeviceIndex, std::vector<c10::Stream>> streams_;
};

free_streams& streams() {
  static free_streams all;
  return all;
}

}  // namespace

own_stream::own_stream(at::Device device) {
  if (device.type() == at::kCUDA) guard_.emplace(streams().take(device));
}

own_stream::~own_stream() {
  if (!guard_) return;
  const c10::Stream mine = guard_->current_stream();
  guard_.reset();
  streams().give_back(mine);
}

void finish_stream(at::Device device) {
  if (device.type() == at::kCUDA) c10::impl::VirtualGuardImpl(device.type()).getStream(device).synchronize();
}

namespace {

// Older versions have no native_handle. A c10::cuda::CUDAStream, of libc10_cuda, is a Stream and nothing
// else.
template <class Stream>
void* handle_of(const Stream& stream) {
  if constexpr (requires { stream.native_handle(); }) {
    return stream.native_handle();
  } else {
    using to_handle = void* (*)(const Stream*);
    static const auto convert =
        reinterpret_cast<to_handle>(::dlsym(RTLD_DEFAULT, "_ZNK3c104cuda10CUDAStream6streamEv"));
    if (convert == nullptr) fail(status::unavailable, "this libtorch does not tell its CUDA streams");
    return convert(&stream);
  }
}

}  // namespace

void* current_stream(at::Device device) {
  return handle_of(c10::impl::VirtualGuardImpl(device.type()).getStream(device));
}

namespace {

// Memory of models that are gone, which libtorch keeps for the next ones.
void give_back_unused() {
#if TORCH_VERSION_MAJOR > 2 || TORCH_VERSION_MINOR >= 10
  try {
    c10::getDeviceAllocator(at::kCUDA)->emptyCache();
  } catch (const c10::Error&) {  // another allocator was set, which keeps what it keeps
  }
#endif
}

}  // namespace

std::size_t free_device_memory(at::Device device) {
  if (device.type() != at::kCUDA) return 0;
  give_back_unused();
  using query = int (*)(std::size_t*, std::size_t*);
  const auto ask = reinterpret_cast<query>(::dlsym(RTLD_DEFAULT, "cudaMemGetInfo"));
  const c10::DeviceGuard guard(device);
  std::size_t free = 0, total = 0;
  return ask != nullptr && ask(&free, &total) == 0 ? free : 0;
}

namespace {

// "NVIDIA H100 80GB HBM3"; empty where the driver does not say. It counts GPUs as CUDA_VISIBLE_DEVICES does.
std::string model_of(at::Device device) {
  using find = int (*)(int* found, int ordinal);
  using ask = int (*)(char* name, int length, int device);
  void* const driver = ::dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL);
  if (driver == nullptr) return {};
  const auto get = reinterpret_cast<find>(::dlsym(driver, "cuDeviceGet"));
  const auto name_of = reinterpret_cast<ask>(::dlsym(driver, "cuDeviceGetName"));
  int found = 0;
  char name[256] = {};
  const bool known = get != nullptr && name_of != nullptr && get(&found, device.index()) == 0 &&
                     name_of(name, sizeof name - 1, found) == 0;
  return known ? name : std::string();
}

}  // namespace

std::string describe_devices(const std::vector<at::Device>& devices, const precision& form) {
  std::string out;
  for (const at::Device& d : devices) {
    out += (out.empty() ? "" : " + ") + d.str();
    const std::string name = d.type() == at::kCUDA ? model_of(d) : "";
    if (!name.empty()) out += cat(" (", name, ")");
  }
  const bool gpu = devices.front().type() == at::kCUDA;
  return cat(out, ", libtorch ", libtorch_version(),
             !gpu        ? cat(" (", at::get_cpu_capability(), ")")
             : form.tf32 ? std::string(", TF32 on")
                         : std::string(", TF32 off"),
             gpu ? ", deterministic where libtorch can be" : ", deterministic",
             !gpu || has_own_kernels(devices.front()) ? "" : ", reductions by libtorch");
}

}  // namespace depthlens::torch_backend
