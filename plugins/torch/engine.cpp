// SPDX-License-Identifier: Apache-2.0
// The table that the plugin gets from this library.
#include "engine.h"

#include "pass.hpp"
#include "run_guarded.hpp"
#include "trainer_table.hpp"

#include "depthlens/abi/version.h"
#include "depthlens/backend/model_object.hpp"

namespace depthlens::torch_backend {

namespace {

using object = model_object<model, libtorch_guard>;

dlens_status trainer_create(const dlens_model* self, const dlens_trainer_options* options,
                            dlens_trainer** out, dlens_error* error) noexcept {
  return create_trainer(object::of(self), options, out, error);
}

dlens_status model_create(const dlens_weights* weights, const dlens_model_options* options, dlens_model** out,
                          dlens_error* error) noexcept {
  return run_guarded(error, [&] {
    dlens_model& made = object::create(*weights, *options);
    if (!object::of(&made).is_streamed()) made.trainer_create = trainer_create;
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
