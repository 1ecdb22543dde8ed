// SPDX-License-Identifier: Apache-2.0
// It prints where results go.
#define NAME "prints"
#define ON_CONSUME printf("hello\n");
#include "study.h"
