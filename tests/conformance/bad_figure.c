// SPDX-License-Identifier: Apache-2.0
// It draws a column that it does not have.
#define NAME "figure"
#define DRAWN "nosuch"
#include "study.h"
