// SPDX-License-Identifier: Apache-2.0
#include "model/stage_loading.hpp"

#include "depthlens/base/abi_error.hpp"
#include "process/plugin_call.hpp"

#include <tbb/parallel_for.h>

namespace depthlens {

bool is_streamed(const dlens_model* model) {
  return DLENS_HAS(dlens_model, model, pass_begin) && model->pass_begin != nullptr;
}

void load_part(const dlens_model* model, std::uint32_t stage, std::uint32_t part) {
  const plugin_call call("backend", backend_name(), "stage_load");
  checked_call(model->stage_load, model, stage, part);
}

void load_stage(const dlens_model* model, std::uint32_t stage) {
  tbb::parallel_for(std::uint32_t{0}, model->stage_parts(model, stage),
                    [&](std::uint32_t part) { load_part(model, stage, part); });
}

}  // namespace depthlens
