// SPDX-License-Identifier: Apache-2.0
// Its option has a name that nobody can type.
#define NAME "option"
#define OPTION_ID "A Way"
#include "study.h"
