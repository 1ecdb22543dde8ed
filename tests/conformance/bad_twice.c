// SPDX-License-Identifier: Apache-2.0
// Its rows depend on what ran before.
#define NAME "twice"
#define VALUE \
  { .type = DLENS_I64, .as.i64 = calls++ }
#include "study.h"
