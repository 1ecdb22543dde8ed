// SPDX-License-Identifier: Apache-2.0
// The plugin "backend.torch". It is not linked with libtorch: that is opened when a model is made, or when it
// is to be known what is free on a GPU, so a machine without it, or with a broken one, has everything else.
#include "engine_library.hpp"
#include "model_sizes.hpp"

#include "depthlens/abi/backend.h"
#include "depthlens/base/abi_error.hpp"
#include "depthlens/plugin.hpp"

#include <dlfcn.h>

#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string_view>

namespace depthlens::torch_backend {

namespace {

constexpr std::uint32_t score_with_gpu = 20, score_without = 5;  // the cpu backend's is between

// Asks the driver itself, whose library may be there without a GPU (login nodes, CUDA_VISIBLE_DEVICES="").
bool has_gpu() {
  static const bool found = [] {
    void* driver = ::dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);  // stays open: libtorch uses it too
    if (driver == nullptr) return false;
    const auto init = reinterpret_cast<int (*)(unsigned)>(::dlsym(driver, "cuInit"));
    const auto count = reinterpret_cast<int (*)(int*)>(::dlsym(driver, "cuDeviceGetCount"));
    int n = 0;
    return init != nullptr && count != nullptr && init(0) == 0 && count(&n) == 0 && n > 0;
  }();
  return found;
}

// With a GPU the engine is opened, so that "auto" may take another backend where that fails. Without one that
// would cost every command the time to load libtorch: an engine that is there but cannot be opened says so
// when a model is made, and where plugins are listed.
std::uint32_t probe(dlens_error* reason) noexcept {
  std::uint32_t score = 0;
  const dlens_status said = guarded(reason, [&] {
    if (!has_gpu()) {
      if (std::getenv("DEPTHLENS_LISTING") != nullptr || !std::filesystem::exists(engine_path()))
        open_engine();
      score = score_without;
      return;
    }
    try {
      open_engine();
    } catch (const error& e) {
      fail(status::config, "there is a GPU, but ", e.what());
    }
    score = score_with_gpu;
  });
  return said == DLENS_OK ? score : 0;
}

dlens_status model_create(const dlens_weights* weights, const dlens_model_options* options,
                          dlens_model** model, dlens_error* error) noexcept {
  const dlens_torch_engine* engine = nullptr;
  const dlens_status opened = guarded(error, [&] { engine = &open_engine(); });
  return opened == DLENS_OK ? engine->model_create(weights, options, model, error) : opened;
}

// Where the weights would lie, as far as that is known without libtorch: on the CPU, as often as it is named.
std::optional<model_place> place_on_cpu(const dlens_model_options& options) {
  const std::string_view form = options.precision ? options.precision : "f32";
  std::string_view devices = options.device ? options.device : "auto";
  model_place place{.devices = 0, .element_bytes = form == "f32" ? sizeof(float) : sizeof(std::uint16_t)};
  if (form != "f32" && form != "bf16" && form != "f16") return std::nullopt;
  if (devices == "auto" && !has_gpu()) devices = "cpu";
  for (;; devices.remove_prefix(devices.find(',') + 1)) {
    if (devices.substr(0, devices.find(',')) != "cpu") return std::nullopt;
    ++place.devices;
    if (devices.find(',') == std::string_view::npos) return place;
  }
}

// What is free on a GPU libtorch's part for it says, and what is wrong with a device that there is not.
dlens_status needs(const dlens_weights* weights, const dlens_model_options* options, dlens_model_needs* out,
                   dlens_error* error) noexcept {
  const dlens_torch_engine* engine = nullptr;
  const dlens_status said = guarded(error, [&] {
    if (const auto place = place_on_cpu(*options))
      *out = needs_of(*weights, *place, *options);
    else
      engine = &open_engine();
  });
  return said == DLENS_OK && engine != nullptr ? engine->needs(weights, options, out, error) : said;
}

constexpr dlens_backend backend = {sizeof(dlens_backend), 0, probe, model_create, needs};

}  // namespace

}  // namespace depthlens::torch_backend

DEPTHLENS_PLUGIN("backend.torch", DEPTHLENS_VERSION, "Runs models with libtorch, on NVIDIA GPUs or the CPU.",
                 "Apache-2.0", DLENS_BACKEND_INTERFACE, &depthlens::torch_backend::backend, nullptr);
