// SPDX-License-Identifier: Apache-2.0
// It ends the program.
#define NAME "exits"
#define ON_FINISH _exit(3);
#include "study.h"
