// SPDX-License-Identifier: Apache-2.0
// What plugins say of their progress, as lines for the user.
#pragma once

#include "depthlens/abi/host.h"

namespace depthlens {

// Of abi/host.h, valid until the process ends. [any]
const dlens_progress* progress_service();

}  // namespace depthlens
