// SPDX-License-Identifier: Apache-2.0
// It crashes at its end.
#define NAME "deinit"
#define ON_DEINIT abort();
#include "study.h"
