// SPDX-License-Identifier: Apache-2.0
#include "engine_library.hpp"

#include "depthlens/abi/version.h"
#include "depthlens/base/error.hpp"

#include <dlfcn.h>
#include <sys/auxv.h>

#include <cstdlib>
#include <string>
#include <string_view>

namespace depthlens::torch_backend {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view how_to_install =
    "install libtorch 2.4 or newer (for example: pip install torch==2.11.0) and build depthlens with "
    "-DDEPTHLENS_TORCH=ON";

[[noreturn]] void cannot_load(const std::string& reason) {
  const auto says = [&](std::string_view words) { return reason.find(words) != std::string::npos; };
  if (says("undefined symbol") || says("version `"))
    fail(
        status::unavailable,
        "the torch backend was built with another libtorch than the one found here, or that one is too old (",
        reason,
        "); build it again with -DDEPTHLENS_TORCH=ON, or name the right one with DEPTHLENS_LIBTORCH=DIR");
  if (says("No such file"))
    fail(status::unavailable, "the torch backend does not find libtorch (", reason,
         "); set DEPTHLENS_LIBTORCH=DIR to the folder that holds libtorch_cpu.so, or ", how_to_install);
  fail(status::unavailable, "the torch backend cannot be loaded: ", reason, "; ", how_to_install);
}

void* open_library(const fs::path& path, int visibility) {
  ::dlerror();
  void* library = ::dlopen(path.c_str(), RTLD_NOW | visibility);
  if (library == nullptr) {
    const char* reason = ::dlerror();
    cannot_load(reason ? reason : "no reason was given");
  }
  return library;
}

// A library that is open already is taken by its name, whatever folder the engine would look in.
void open_named_libtorch() {
  const char* folder = ::getauxval(AT_SECURE) ? nullptr : std::getenv("DEPTHLENS_LIBTORCH");
  if (folder == nullptr || *folder == '\0') return;
  if (!fs::path(folder).is_absolute())
    fail(status::usage, "DEPTHLENS_LIBTORCH is ", folder, ", expected an absolute folder");
  for (const char* name : {"libc10.so", "libtorch_cpu.so"})
    open_library(fs::path(folder) / name, RTLD_GLOBAL);
}

const dlens_torch_engine& load() {
  const fs::path path = engine_path();
  if (!fs::exists(path))
    fail(status::unavailable, "this depthlens was built without libtorch (no ", path.string(), "); ",
         how_to_install);
  open_named_libtorch();
  void* library = open_library(path, RTLD_LOCAL);
  const auto entry = reinterpret_cast<dlens_torch_engine_entry>(::dlsym(library, DLENS_TORCH_ENGINE_SYMBOL));
  if (entry == nullptr)
    fail(status::unavailable, path.string(), " is no engine of the torch backend: it does not export ",
         DLENS_TORCH_ENGINE_SYMBOL);
  const dlens_torch_engine* engine = entry();
  if (engine == nullptr || engine->size < sizeof(dlens_torch_engine) ||
      engine->abi_major != DLENS_ABI_MAJOR || engine->abi_minor != DLENS_ABI_MINOR)
    fail(status::unavailable, path.string(), " belongs to another version of depthlens; build both together");
  return *engine;
}

}  // namespace

fs::path engine_path() {
  Dl_info here{};
  if (::dladdr(reinterpret_cast<const void*>(&engine_path), &here) == 0 || here.dli_fname == nullptr)
    return {};
  return fs::path(here.dli_fname).parent_path().parent_path() / "torch" / "libdepthlens-torch.so";
}

const dlens_torch_engine& open_engine() {
  static const dlens_torch_engine& engine = load();
  return engine;
}

}  // namespace depthlens::torch_backend
