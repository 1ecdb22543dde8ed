// SPDX-License-Identifier: Apache-2.0
// The C tables around the model of this backend.
#include "engine.h"

#include "model.hpp"
#include "run_guarded.hpp"
#include "trainer_table.hpp"

#include "depthlens/abi/version.h"

#include <algorithm>
#include <vector>

struct dlens_lens {
  depthlens::torch_backend::lens lens;
};

namespace depthlens::torch_backend {

namespace {

const model& model_of(const dlens_model* table);

const dlens_model_info* model_info(const dlens_model* self) noexcept { return &model_of(self).info(); }

dlens_status lens_create(const dlens_model* self, std::uint64_t n, const dlens_transport* const* transports,
                         dlens_lens** out, dlens_error* error) noexcept {
  return run_guarded(error, [&] { *out = new dlens_lens{model_of(self).make_lens(n, transports)}; });
}

void lens_destroy(const dlens_model*, dlens_lens* lens) noexcept { delete lens; }

dlens_status forward(const dlens_model* self, const dlens_batch* batch, std::int32_t* final_top,
                     const dlens_readings* const* readings, dlens_error* error) noexcept {
  return run_guarded(error, [&] {
    if (batch->size < sizeof(dlens_batch)) fail(status::internal, "a pack is of an older interface");
    std::vector<const lens*> lenses;
    for (std::uint32_t i = 0; i < batch->n_lenses; ++i) {
      if (!readings || !readings[i] || readings[i]->size < sizeof(dlens_readings))
        fail(status::internal, "lens ", i, " of a pack has no room for its readings");
      lenses.push_back(&batch->lenses[i]->lens);
    }
    model_of(self).forward(*batch, lenses, final_top, readings);
  });
}

void work(const dlens_model* self, dlens_work* out) noexcept { model_of(self).work().write(*out); }

dlens_status product_rate(const dlens_model* self, const char* precision, std::uint32_t threads,
                          double seconds, double* flops_per_second, dlens_error* error) noexcept {
  return run_guarded(error, [&] {
    *flops_per_second = model_of(self).product_rate(precision, std::max(threads, 1u), seconds);
  });
}

dlens_status trainer_create(const dlens_model* self, const dlens_trainer_options* options,
                            dlens_trainer** out, dlens_error* error) noexcept {
  return create_trainer(model_of(self), options, out, error);
}

void model_destroy(dlens_model* self) noexcept;

struct model_object {
  model_object(const dlens_weights& weights, const dlens_model_options& options)
      : implementation(weights, options) {
    table.size = sizeof(dlens_model);
    table.self = this;
    table.info = model_info;
    table.lens_create = lens_create;
    table.lens_destroy = lens_destroy;
    table.forward = forward;
    table.destroy = model_destroy;
    table.work = work;
    table.product_rate = product_rate;
    table.trainer_create = trainer_create;
  }
  model_object(const model_object&) = delete;
  model_object& operator=(const model_object&) = delete;

  model implementation;
  dlens_model table{};
};

const model& model_of(const dlens_model* table) {
  return static_cast<const model_object*>(table->self)->implementation;
}

void model_destroy(dlens_model* self) noexcept { delete static_cast<model_object*>(self->self); }

dlens_status model_create(const dlens_weights* weights, const dlens_model_options* options, dlens_model** out,
                          dlens_error* error) noexcept {
  return run_guarded(error, [&] {
    if (options->size < sizeof(dlens_model_options))
      fail(status::internal, "the options are of an older interface");
    *out = &(new model_object(*weights, *options))->table;
  });
}

}  // namespace

}  // namespace depthlens::torch_backend

extern "C" __attribute__((visibility("default"))) const dlens_torch_engine* dlens_torch_engine_v1(void);
extern "C" __attribute__((visibility("default"))) const dlens_torch_engine* dlens_torch_engine_v1(void) {
  static const dlens_torch_engine engine = {sizeof(dlens_torch_engine), DLENS_ABI_MAJOR, DLENS_ABI_MINOR, 0,
                                            depthlens::torch_backend::model_create};
  return &engine;
}
