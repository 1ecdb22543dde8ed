// SPDX-License-Identifier: Apache-2.0
// It never stops asking.
#define NAME "endless"
#define ON_PLAN ((dlens_tops *)tops)->n_rounds = 0;
#include "study.h"
