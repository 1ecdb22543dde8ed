// SPDX-License-Identifier: Apache-2.0
// Its rows depend on the order of records.
#define NAME "order"
#define ON_CREATE calls = 0;
#define VALUE \
  { .type = DLENS_I64, .as.i64 = calls++ }
#include "study.h"
