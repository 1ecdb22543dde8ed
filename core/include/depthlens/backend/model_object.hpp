// SPDX-License-Identifier: Apache-2.0
// For backends: a model class as a dlens_model, the C table that the host calls. No exception crosses it.
#pragma once

#include "depthlens/abi/backend.h"
#include "depthlens/base/abi_error.hpp"
#include "depthlens/base/error.hpp"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

struct dlens_lens {};  // the bases of a backend's lenses and passes, which the host knows by pointers alone
struct dlens_pass {};

namespace depthlens {

// For backends whose libraries throw no errors of their own kind.
struct plain_guard {
  template <class Function>
  static dlens_status run(dlens_error* error, Function&& fn) noexcept {
    return guarded(error, fn);
  }
};

// The class behind the table has, with a Lens of any kind,
//   Model(const dlens_weights&, const dlens_model_options&)
//   const dlens_model_info& info() const
//   Lens make_lens(std::uint64_t n, const dlens_transport* const* transports) const
//   void forward(const dlens_batch&, const std::vector<const Lens*>&, std::int32_t* final_top,
//                const dlens_readings* const* readings) const
//   const work_counters& work() const
//   double product_rate(std::string_view precision, std::uint32_t threads, double seconds) const
// and one that can stream its weights also the type Model::pass and
//   bool is_streamed() const
//   std::uint32_t stage_parts(std::uint32_t stage) const
//   void load_stage(std::uint32_t stage, std::uint32_t part) const
//   std::unique_ptr<pass> begin_pass(..., as forward) const
//   void run_pass(pass&, std::uint32_t stage, const dlens_prefix*, dlens_prefix** kept) const
// They do what dlens_model says of the functions of these names, on the threads that it says. info and work
// do not throw. What others throw Guard::run(error, fn) makes a status and a text, as `guarded` does.
template <class Model, class Guard = plain_guard>
class model_object {
 public:
  // A model that its `destroy` frees. prefix_release and get_extension are NULL until the caller sets them.
  // Errors: those of Model's constructor, status::internal for options of an older interface.
  static dlens_model& create(const dlens_weights& weights, const dlens_model_options& options) {
    if (!DLENS_HAS(dlens_model_options, &options, device_memory))
      fail(status::internal, "the options are of an older interface");
    refuse_unknown_members(options, "an option of the model");
    return (new model_object(weights, options))->table_;
  }

  // The model of a table that create made.
  static const Model& of(const dlens_model* table) {
    return static_cast<const model_object*>(table->self)->model_;
  }

 private:
  using lens_type = decltype(std::declval<const Model&>().make_lens(0, nullptr));
  struct lens_object : dlens_lens {
    explicit lens_object(lens_type made) : lens(std::move(made)) {}
    lens_type lens;
  };

  model_object(const dlens_weights& weights, const dlens_model_options& options) : model_(weights, options) {
    table_.size = sizeof(dlens_model);
    table_.self = this;
    table_.info = info;
    table_.lens_create = lens_create;
    table_.lens_destroy = lens_destroy;
    table_.forward = forward;
    table_.destroy = destroy;
    table_.work = work;
    table_.product_rate = product_rate;
    if constexpr (requires { typename Model::pass; }) {
      if (model_.is_streamed()) add_stages();
    }
  }
  model_object(const model_object&) = delete;
  model_object& operator=(const model_object&) = delete;

  void add_stages() {
    struct pass_object : dlens_pass {
      std::unique_ptr<typename Model::pass> pass;
    };
    table_.stage_parts = [](const dlens_model* self, std::uint32_t stage) noexcept {
      return of(self).stage_parts(stage);
    };
    table_.stage_load = [](const dlens_model* self, std::uint32_t stage, std::uint32_t part,
                           dlens_error* error) noexcept {
      return Guard::run(error, [&] { of(self).load_stage(stage, part); });
    };
    table_.pass_begin = [](const dlens_model* self, const dlens_batch* batch, std::int32_t* final_top,
                           const dlens_readings* const* readings, dlens_pass** pass,
                           dlens_error* error) noexcept {
      return Guard::run(error, [&] {
        auto made = std::make_unique<pass_object>();
        made->pass = of(self).begin_pass(*batch, lenses_of(*batch, readings), final_top, readings);
        *pass = made.release();
      });
    };
    table_.pass_run = [](const dlens_model* self, dlens_pass* pass, std::uint32_t stage,
                         const dlens_prefix* prefix, dlens_prefix** kept, dlens_error* error) noexcept {
      return Guard::run(
          error, [&] { of(self).run_pass(*static_cast<pass_object*>(pass)->pass, stage, prefix, kept); });
    };
    table_.pass_end = [](const dlens_model*, dlens_pass* pass) noexcept {
      delete static_cast<pass_object*>(pass);
    };
  }

  // Errors: status::internal for a batch or readings of an older interface.
  static std::vector<const lens_type*> lenses_of(const dlens_batch& batch,
                                                 const dlens_readings* const* readings) {
    if (!DLENS_HAS(dlens_batch, &batch, interventions))
      fail(status::internal, "a pack is of an older interface");
    refuse_unknown_members(batch, "a pack");
    std::vector<const lens_type*> lenses;
    for (std::uint32_t i = 0; i < batch.n_lenses; ++i) {
      if (!readings || !readings[i] || !DLENS_HAS(dlens_readings, readings[i], top_logprob))
        fail(status::internal, "lens ", i, " of a pack has no room for its readings");
      lenses.push_back(&static_cast<const lens_object*>(batch.lenses[i])->lens);
    }
    return lenses;
  }

  static const dlens_model_info* info(const dlens_model* self) noexcept { return &of(self).info(); }

  static dlens_status lens_create(const dlens_model* self, std::uint64_t n,
                                  const dlens_transport* const* transports, dlens_lens** out,
                                  dlens_error* error) noexcept {
    return Guard::run(error, [&] { *out = new lens_object(of(self).make_lens(n, transports)); });
  }

  static void lens_destroy(const dlens_model*, dlens_lens* lens) noexcept {
    delete static_cast<lens_object*>(lens);
  }

  static dlens_status forward(const dlens_model* self, const dlens_batch* batch, std::int32_t* final_top,
                              const dlens_readings* const* readings, dlens_error* error) noexcept {
    return Guard::run(error,
                      [&] { of(self).forward(*batch, lenses_of(*batch, readings), final_top, readings); });
  }

  static void work(const dlens_model* self, dlens_work* out) noexcept { of(self).work().write(*out); }

  static dlens_status product_rate(const dlens_model* self, const char* precision, std::uint32_t threads,
                                   double seconds, double* flops_per_second, dlens_error* error) noexcept {
    return Guard::run(
        error, [&] { *flops_per_second = of(self).product_rate(precision, std::max(threads, 1u), seconds); });
  }

  static void destroy(dlens_model* self) noexcept { delete static_cast<model_object*>(self->self); }

  Model model_;
  dlens_model table_{};
};

}  // namespace depthlens
