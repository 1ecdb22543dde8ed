// SPDX-License-Identifier: Apache-2.0
#include "training/backend_jacobian.hpp"

#include "depthlens/base/abi_error.hpp"
#include "process/plugin_call.hpp"

namespace depthlens {
namespace {

// Null where the model does not offer it.
const dlens_jacobians* jacobians_of(const dlens_model* model) {
  if (!DLENS_HAS(dlens_model, model, get_extension) || model->get_extension == nullptr) return nullptr;
  const auto* table =
      static_cast<const dlens_jacobians*>(model->get_extension(model, DLENS_JACOBIAN_INTERFACE));
  return table != nullptr && DLENS_HAS(dlens_jacobians, table, jacobian_create) ? table : nullptr;
}

}  // namespace

bool can_differentiate(const dlens_model* model) { return jacobians_of(model) != nullptr; }

backend_jacobian::backend_jacobian(const dlens_model* model, std::uint32_t threads) {
  const dlens_jacobian_options options{.size = sizeof options, .threads = threads};
  const plugin_call call("backend", backend_name(), "jacobian_create");
  checked_call(jacobians_of(model)->jacobian_create, model, &options, &jacobian_);
}

backend_jacobian::~backend_jacobian() {
  if (jacobian_ != nullptr) jacobian_->destroy(jacobian_);
}

void backend_jacobian::begin(const dlens_batch& batch, std::uint32_t copies) {
  const plugin_call call("backend", backend_name(), "jacobian begin");
  checked_call(jacobian_->begin, jacobian_, &batch, copies);
}

void backend_jacobian::rows(std::uint32_t first, std::uint32_t count, std::span<float> values) {
  const plugin_call call("backend", backend_name(), "jacobian rows");
  checked_call(jacobian_->rows, jacobian_, first, count, values.data());
}

}  // namespace depthlens
