// SPDX-License-Identifier: Apache-2.0
// Its entry returns another table each time.
#define NAME "entry"
#define ON_ENTRY                                 \
  static int n;                                  \
  if (n++ > 0) {                                 \
    dlens_plugin *other = malloc(sizeof *other); \
    *other = plugin;                             \
    return other;                                \
  }
#include "study.h"
