// SPDX-License-Identifier: Apache-2.0
// The table that the plugin gets from this library.
#include "engine.h"

#include "jacobian_table.hpp"
#include "pass.hpp"
#include "run_guarded.hpp"
#include "trainer_table.hpp"

#include "depthlens/abi/intervene.h"
#include "depthlens/abi/version.h"
#include "depthlens/backend/model_object.hpp"

#include <string_view>

namespace depthlens::torch_backend {

namespace {

using object = model_object<model, libtorch_guard>;

dlens_status trainer_create(const dlens_model* self, const dlens_trainer_options* options,
                            dlens_trainer** out, dlens_error* error) noexcept {
  return create_trainer(object::of(self), options, out, error);
}

dlens_status jacobian_create(const dlens_model* self, const dlens_jacobian_options* options,
                             dlens_jacobian** out, dlens_error* error) noexcept {
  return create_jacobian(object::of(self), options, out, error);
}

// Those that are differentiated go through all blocks at once.
const void* get_extension(const dlens_model* self, const char* id) noexcept {
  static constexpr dlens_training training{sizeof training, 0, trainer_create};
  static constexpr dlens_jacobians jacobians{sizeof jacobians, 0, jacobian_create};
  static constexpr dlens_intervene interventions{sizeof interventions, 0};
  const std::string_view asked = id;
  if (asked == DLENS_INTERVENE_INTERFACE) return &interventions;
  if (object::of(self).is_streamed()) return nullptr;
  if (asked == DLENS_TRAINER_INTERFACE) return &training;
  return asked == DLENS_JACOBIAN_INTERFACE ? &jacobians : nullptr;
}

dlens_status model_create(const dlens_weights* weights, const dlens_model_options* options, dlens_model** out,
                          dlens_error* error) noexcept {
  return run_guarded(error, [&] {
    dlens_model& made = object::create(*weights, *options);
    made.get_extension = get_extension;
    *out = &made;
  });
}

dlens_status needs(const dlens_weights* weights, const dlens_model_options* options, dlens_model_needs* out,
                   dlens_error* error) noexcept {
  return run_guarded(error, [&] { *out = model::needs(*weights, *options); });
}

}  // namespace

}  // namespace depthlens::torch_backend

extern "C" __attribute__((visibility("default"))) const dlens_torch_engine* dlens_torch_engine_v1(void);
extern "C" __attribute__((visibility("default"))) const dlens_torch_engine* dlens_torch_engine_v1(void) {
  static const dlens_torch_engine engine = {.size = sizeof(dlens_torch_engine),
                                            .abi_major = DLENS_ABI_MAJOR,
                                            .abi_minor = DLENS_ABI_MINOR,
                                            .reserved = 0,
                                            .model_create = depthlens::torch_backend::model_create,
                                            .needs = depthlens::torch_backend::needs};
  return &engine;
}
