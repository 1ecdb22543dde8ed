// SPDX-License-Identifier: Apache-2.0
// It says yes to every interface.
#define NAME "interface"
#define FOREIGN_INTERFACE &experiment
#include "study.h"
