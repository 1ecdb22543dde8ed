// SPDX-License-Identifier: Apache-2.0
// The plugin "backend.cpu": the C tables around the model.
#include "kept_path.hpp"
#include "model.hpp"

#include "depthlens/abi/backend.h"
#include "depthlens/abi_error.hpp"
#include "depthlens/error.hpp"
#include "depthlens/plugin.hpp"

#include <algorithm>
#include <utility>
#include <vector>

struct dlens_lens {
  depthlens::cpu::lens lens;
};

namespace depthlens::cpu {

namespace {

constexpr std::uint32_t probe_score = 10;  // runs everywhere; faster hardware scores higher

struct model_object;

const model& model_of(const dlens_model* table);

const dlens_model_info* model_info(const dlens_model* self) noexcept { return &model_of(self).info(); }

dlens_status lens_create(const dlens_model* self, std::uint64_t n, const dlens_transport* const* transports,
                         dlens_lens** out, dlens_error* error) noexcept {
  return guarded(error, [&] { *out = new dlens_lens{model_of(self).make_lens(n, transports)}; });
}

void lens_destroy(const dlens_model*, dlens_lens* lens) noexcept { delete lens; }

dlens_status forward(const dlens_model* self, const dlens_batch* batch, std::int32_t* final_top,
                     const dlens_readings* const* readings, dlens_error* error) noexcept {
  return guarded(error, [&] {
    if (batch->size < sizeof(dlens_batch)) fail(status::internal, "a pack is of an older interface");
    std::vector<const lens*> lenses;
    for (std::uint32_t i = 0; i < batch->n_lenses; ++i) {
      if (!readings || !readings[i] || readings[i]->size < sizeof(dlens_readings)) {
        fail(status::internal, "lens ", i, " of a pack has no room for its readings");
      }
      lenses.push_back(&batch->lenses[i]->lens);
    }
    auto kept = model_of(self).forward(*batch, lenses, final_top, readings);
    if (batch->kept) *batch->kept = new dlens_prefix{std::move(kept)};
  });
}

void prefix_release(const dlens_model*, dlens_prefix* prefix) noexcept { delete prefix; }

void model_destroy(dlens_model* self) noexcept;

void work(const dlens_model* self, dlens_work* out) noexcept { model_of(self).work().write(*out); }

dlens_status product_rate(const dlens_model* self, const char* precision, std::uint32_t threads,
                          double seconds, double* flops_per_second, dlens_error* error) noexcept {
  return guarded(error, [&] {
    *flops_per_second = model_of(self).product_rate(precision, std::max(threads, 1u), seconds);
  });
}

struct model_object {
  model_object(const dlens_weights& weights, const dlens_model_options& options)
      : implementation(weights, options) {
    table = {sizeof(dlens_model), 0,       this,          model_info,     lens_create,
             lens_destroy,        forward, model_destroy, prefix_release, work,
             product_rate};
  }
  model_object(const model_object&) = delete;
  model_object& operator=(const model_object&) = delete;

  model implementation;
  dlens_model table;
};

const model& model_of(const dlens_model* table) {
  return static_cast<const model_object*>(table->self)->implementation;
}

void model_destroy(dlens_model* self) noexcept { delete static_cast<model_object*>(self->self); }

std::uint32_t probe(dlens_error*) noexcept { return probe_score; }

dlens_status model_create(const dlens_weights* weights, const dlens_model_options* options, dlens_model** out,
                          dlens_error* error) noexcept {
  return guarded(error, [&] {
    if (options->size < sizeof(dlens_model_options))
      fail(status::internal, "the options are of an older interface");
    *out = &(new model_object(*weights, *options))->table;
  });
}

constexpr dlens_backend backend = {sizeof(dlens_backend), 0, probe, model_create};

}  // namespace

}  // namespace depthlens::cpu

DEPTHLENS_PLUGIN("backend.cpu", DEPTHLENS_VERSION, "Runs models on the CPU with oneDNN and oneTBB.",
                 DLENS_BACKEND_INTERFACE, &depthlens::cpu::backend, nullptr);
