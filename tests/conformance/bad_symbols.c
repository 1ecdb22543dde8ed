// SPDX-License-Identifier: Apache-2.0
// It exports more than its entry.
#define NAME "symbols"
__attribute__((visibility("default"))) int another_symbol;
#include "study.h"
