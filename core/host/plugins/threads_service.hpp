// SPDX-License-Identifier: Apache-2.0
// The host's own threads, as plugins get them.
#pragma once

#include "depthlens/abi/host.h"

namespace depthlens {

// Of abi/host.h, valid until the process ends. [any]
const dlens_threads* threads_service();

}  // namespace depthlens
