// SPDX-License-Identifier: Apache-2.0
// It fails with one of its own choices.
#define NAME "choice"
#define ON_CREATE                                                                 \
  if (options[0].value.size == 3 && memcmp(options[0].value.data, "two", 3) == 0) \
    return refuse(error, DLENS_INTERNAL, "two?");
#include "study.h"
