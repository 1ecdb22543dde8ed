// SPDX-License-Identifier: Apache-2.0
// It does not come back.
#define NAME "hangs"
#define ON_PLAN \
  for (;;) sleep(1);
#include "study.h"
