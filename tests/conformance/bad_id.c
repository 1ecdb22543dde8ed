// SPDX-License-Identifier: Apache-2.0
// It is not what its file is called.
#define NAME "id"
#define ID "experiment.other"
#include "study.h"
