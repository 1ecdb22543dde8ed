// SPDX-License-Identifier: Apache-2.0
// It needs a function that nobody has.
#define NAME "unresolved"
void depthlens_has_no_such_function(void);
#define ON_DEINIT depthlens_has_no_such_function();
#include "study.h"
