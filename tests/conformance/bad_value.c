// SPDX-License-Identifier: Apache-2.0
// Its rows are not those that it declared.
#define NAME "value"
#define VALUE \
  { .type = DLENS_F64, .as.f64 = 1 }
#include "study.h"
