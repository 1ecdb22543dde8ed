// SPDX-License-Identifier: Apache-2.0
// It is made for another interface.
#define NAME "major"
#define MAJOR (DLENS_ABI_MAJOR + 1)
#include "study.h"
