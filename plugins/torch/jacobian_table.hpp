// SPDX-License-Identifier: Apache-2.0
// The C table around the Jacobians of this backend.
#pragma once

#include "model.hpp"

#include "depthlens/abi/jacobian.h"

namespace depthlens::torch_backend {

// As dlens_jacobians.jacobian_create.
dlens_status create_jacobian(const model& of, const dlens_jacobian_options* options, dlens_jacobian** out,
                             dlens_error* error) noexcept;

}  // namespace depthlens::torch_backend
