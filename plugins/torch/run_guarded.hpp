// SPDX-License-Identifier: Apache-2.0
// What libtorch throws, as the errors of the C interface.
#pragma once

#include "depthlens/base/abi_error.hpp"

#include <c10/util/Exception.h>

namespace depthlens::torch_backend {

// libtorch's own errors carry a stack trace; users get the first line.
template <class Function>
dlens_status run_guarded(dlens_error* error, Function&& fn) noexcept {
  return guarded(error, [&] {
    try {
      fn();
    } catch (const c10::OutOfMemoryError& e) {
      fail(status::unavailable,
           "the device is out of memory (a smaller --pack-tokens or a shorter --precision takes less): ",
           e.what_without_backtrace());
    } catch (const c10::Error& e) {
      fail(status::internal, "libtorch: ", e.what_without_backtrace());
    }
  });
}

// For model_object.
struct libtorch_guard {
  template <class Function>
  static dlens_status run(dlens_error* error, Function&& fn) noexcept {
    return run_guarded(error, fn);
  }
};

}  // namespace depthlens::torch_backend
