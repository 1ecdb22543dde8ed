// SPDX-License-Identifier: Apache-2.0
#include "plugins/threads_service.hpp"

#include "depthlens/base/abi_error.hpp"

#include <tbb/global_control.h>
#include <tbb/parallel_for.h>

namespace depthlens {
namespace {

using task = dlens_status (*)(void*, std::uint64_t, dlens_error*);

dlens_status run_all(const dlens_threads*, std::uint64_t n, task run, void* context, dlens_error* e) {
  return guarded(e, [&] {
    tbb::parallel_for(std::uint64_t{0}, n, [&](std::uint64_t i) { checked_call(run, context, i); });
  });
}

}  // namespace

const dlens_threads* threads_service() {
  static const dlens_threads service = {.size = sizeof(dlens_threads),
                                        .count = static_cast<std::uint32_t>(tbb::global_control::active_value(
                                            tbb::global_control::max_allowed_parallelism)),
                                        .self = nullptr,
                                        .parallel_for = &run_all};
  return &service;
}

}  // namespace depthlens
