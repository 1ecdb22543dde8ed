// SPDX-License-Identifier: Apache-2.0
// Address space, where the system limits it (ulimit -v).
#pragma once

namespace depthlens {

// Where it is limited, the allocator gets one arena: each more reserves 64 MiB of it for a thread. To be
// called before threads are there.
void spare_address_space();

}  // namespace depthlens
