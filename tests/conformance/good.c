// SPDX-License-Identifier: Apache-2.0
// Nothing is wrong with it.
#define NAME "good"

#include "study.h"
