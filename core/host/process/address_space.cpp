// SPDX-License-Identifier: Apache-2.0
#include "process/address_space.hpp"

#include <malloc.h>
#include <sys/resource.h>

namespace depthlens {

void spare_address_space() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) ::mallopt(M_ARENA_MAX, 1);
}

}  // namespace depthlens
