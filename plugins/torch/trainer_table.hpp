// SPDX-License-Identifier: Apache-2.0
// The C table around the trainer of this backend.
#pragma once

#include "model.hpp"

#include "depthlens/abi/trainer.h"

namespace depthlens::torch_backend {

// As dlens_training.trainer_create.
dlens_status create_trainer(const model& of, const dlens_trainer_options* options, dlens_trainer** out,
                            dlens_error* error) noexcept;

}  // namespace depthlens::torch_backend
