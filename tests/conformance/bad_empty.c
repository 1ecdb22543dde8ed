// SPDX-License-Identifier: Apache-2.0
// It makes no row of an empty prompt, and cannot live without rows.
#define NAME "empty"
#define ON_CONSUME \
  if (record->fields[0].value.size == 0) return status;
#define ON_FINISH \
  if (row == NULL) abort();
#include "study.h"
