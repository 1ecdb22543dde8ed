// SPDX-License-Identifier: Apache-2.0
// It crashes at work.
#define NAME "crashes"
#define ON_CONSUME *(volatile int *)0 = 1;
#include "study.h"
