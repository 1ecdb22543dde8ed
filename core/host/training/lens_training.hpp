// SPDX-License-Identifier: Apache-2.0
// The training of a tuned lens, in a folder in which it can be stopped and continued.
#pragma once

#include "plugins/registry.hpp"
#include "training/train_request.hpp"

namespace depthlens {

// Returns the program's exit code.
int execute_training(train_request request, registry& plugins);

}  // namespace depthlens
