// SPDX-License-Identifier: Apache-2.0
// The plugin "backend.cpu".
#include "kept_path.hpp"
#include "pass.hpp"

#include "depthlens/abi/backend.h"
#include "depthlens/abi/intervene.h"
#include "depthlens/backend/model_object.hpp"
#include "depthlens/base/abi_error.hpp"
#include "depthlens/plugin.hpp"

#include <string_view>

namespace depthlens::cpu {

namespace {

constexpr std::uint32_t probe_score = 10;  // runs everywhere; faster hardware scores higher

std::uint32_t probe(dlens_error*) noexcept { return probe_score; }

void prefix_release(const dlens_model*, dlens_prefix* prefix) noexcept { delete prefix; }

const void* get_extension(const dlens_model*, const char* id) noexcept {
  static constexpr dlens_intervene interventions{sizeof interventions, 0};
  return std::string_view(id) == DLENS_INTERVENE_INTERFACE ? &interventions : nullptr;
}

dlens_status model_create(const dlens_weights* weights, const dlens_model_options* options, dlens_model** out,
                          dlens_error* error) noexcept {
  return guarded(error, [&] {
    dlens_model& made = model_object<model>::create(*weights, *options);
    made.prefix_release = prefix_release;
    made.get_extension = get_extension;
    *out = &made;
  });
}

dlens_status needs(const dlens_weights* weights, const dlens_model_options* options, dlens_model_needs* out,
                   dlens_error* error) noexcept {
  return guarded(error, [&] { *out = model::needs(*weights, *options); });
}

constexpr dlens_backend backend = {sizeof(dlens_backend), 0, probe, model_create, needs};

}  // namespace

}  // namespace depthlens::cpu

DEPTHLENS_PLUGIN("backend.cpu", DEPTHLENS_VERSION, "Runs models on the CPU with oneDNN and oneTBB.",
                 "Apache-2.0", DLENS_BACKEND_INTERFACE, &depthlens::cpu::backend, nullptr);
