// SPDX-License-Identifier: Apache-2.0
// Its threads write to one place.
#define NAME "threads"
#define ON_CONSUME                \
  calls = (int64_t)record->index; \
  usleep(2000);
#define VALUE \
  { .type = DLENS_I64, .as.i64 = calls }
#include "study.h"
