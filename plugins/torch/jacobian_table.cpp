// SPDX-License-Identifier: Apache-2.0
#include "jacobian_table.hpp"

#include "jacobian.hpp"
#include "run_guarded.hpp"

#include "depthlens/base/error.hpp"

namespace depthlens::torch_backend {

namespace {

jacobian& jacobian_of(const dlens_jacobian* table) { return *static_cast<jacobian*>(table->self); }

// What a call holds grows with the copies, not with --pack-tokens.
template <class Function>
void or_smaller(Function&& fn) {
  try {
    fn();
  } catch (const c10::OutOfMemoryError& e) {
    fail(status::unavailable,
         "the device is out of memory (fewer rows at once, --dim-batch, or fewer --tokens take less): ",
         e.what_without_backtrace());
  }
}

dlens_status begin(dlens_jacobian* self, const dlens_batch* batch, std::uint32_t copies,
                   dlens_error* error) noexcept {
  return run_guarded(error, [&] { or_smaller([&] { jacobian_of(self).begin(*batch, copies); }); });
}

dlens_status rows(dlens_jacobian* self, std::uint32_t first, std::uint32_t count, float* values,
                  dlens_error* error) noexcept {
  return run_guarded(error, [&] { or_smaller([&] { jacobian_of(self).rows(first, count, values); }); });
}

void destroy(dlens_jacobian* self) noexcept {
  delete static_cast<jacobian*>(self->self);
  delete self;
}

}  // namespace

dlens_status create_jacobian(const model& of, const dlens_jacobian_options* options, dlens_jacobian** out,
                             dlens_error* error) noexcept {
  return run_guarded(error, [&] {
    if (!DLENS_HAS(dlens_jacobian_options, options, threads))
      fail(status::internal, "the options are of an older interface");
    auto made = std::make_unique<jacobian>(of, *options);
    *out = new dlens_jacobian{.size = sizeof(dlens_jacobian),
                              .reserved = 0,
                              .self = made.get(),
                              .begin = begin,
                              .rows = rows,
                              .destroy = destroy};
    made.release();
  });
}

}  // namespace depthlens::torch_backend
