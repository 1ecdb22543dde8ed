// SPDX-License-Identifier: Apache-2.0
#include "trainer_table.hpp"

#include "run_guarded.hpp"
#include "trainer.hpp"

namespace depthlens::torch_backend {

namespace {

trainer& trainer_of(const dlens_trainer* table) { return *static_cast<trainer*>(table->self); }

dlens_status measure(dlens_trainer* self, const dlens_batch* batch, float* loss,
                     dlens_error* error) noexcept {
  return run_guarded(error, [&] { trainer_of(self).measure(*batch, loss); });
}

dlens_status step(dlens_trainer* self, const dlens_batch* batch, double rate, float* loss,
                  dlens_error* error) noexcept {
  return run_guarded(error, [&] { trainer_of(self).step(*batch, rate, loss); });
}

dlens_status observe(dlens_trainer* self, const dlens_batch* batch, dlens_error* error) noexcept {
  return run_guarded(error, [&] { trainer_of(self).observe(*batch); });
}

dlens_status fit(dlens_trainer* self, std::uint32_t what, double ridge, dlens_error* error) noexcept {
  return run_guarded(error, [&] { trainer_of(self).fit(what, ridge); });
}

std::uint64_t arrays(const dlens_trainer* self, const dlens_trainer_array* const** out) noexcept {
  const auto all = trainer_of(self).arrays();
  *out = all.data();
  return all.size();
}

dlens_status read(const dlens_trainer* self, std::uint64_t array, float* values,
                  dlens_error* error) noexcept {
  return run_guarded(error, [&] { trainer_of(self).read(array, values); });
}

dlens_status write(dlens_trainer* self, std::uint64_t array, const float* values,
                   dlens_error* error) noexcept {
  return run_guarded(error, [&] { trainer_of(self).write(array, values); });
}

void destroy(dlens_trainer* self) noexcept {
  delete static_cast<trainer*>(self->self);
  delete self;
}

}  // namespace

dlens_status create_trainer(const model& of, const dlens_trainer_options* options, dlens_trainer** out,
                            dlens_error* error) noexcept {
  return run_guarded(error, [&] {
    auto made = std::make_unique<trainer>(of, *options);
    *out = new dlens_trainer{.size = sizeof(dlens_trainer),
                             .reserved = 0,
                             .self = made.get(),
                             .measure = measure,
                             .step = step,
                             .observe = observe,
                             .fit = fit,
                             .arrays = arrays,
                             .read = read,
                             .write = write,
                             .destroy = destroy};
    made.release();
  });
}

}  // namespace depthlens::torch_backend
