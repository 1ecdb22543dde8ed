// SPDX-License-Identifier: Apache-2.0
// What a plugin declares is used without further checks, so what it got wrong is said here, before a model
// runs.
#pragma once

#include "depthlens/abi/experiment.h"

namespace depthlens {

// Throw status::internal with what is wrong: incomplete, of another interface, doubled, not declared.
void check_description(const dlens_description* description);
void check_experiment(const dlens_experiment& experiment);

}  // namespace depthlens
