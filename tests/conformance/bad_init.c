// SPDX-License-Identifier: Apache-2.0
// It refuses to start without a word.
#define NAME "init"
#define ON_INIT return DLENS_UNAVAILABLE;
#include "study.h"
