// SPDX-License-Identifier: Apache-2.0
// Finds and opens the engine of the torch backend, which is linked with libtorch. It lies in
// lib/depthlens/torch, beside the folder of the plugins, so that it is never taken for one.
#pragma once

#include "engine.h"

#include <filesystem>

namespace depthlens::torch_backend {

// Where the engine of this plugin should be; it may not be there.
std::filesystem::path engine_path();

// Opens the engine, once for the process; libraries stay loaded. DEPTHLENS_LIBTORCH=DIR names the folder of
// another libtorch than the one it was built with. Throws status::unavailable with what is wrong and what
// helps. [main]
const dlens_torch_engine& open_engine();

}  // namespace depthlens::torch_backend
