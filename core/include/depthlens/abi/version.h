// SPDX-License-Identifier: Apache-2.0
// The version of the depthlens plugin interface. While the major number is 0, a host takes plugins of its own
// minor number only; from 1.0 on, a minor number only ever adds members at the tails of structs.
#ifndef DLENS_ABI_VERSION_H
#define DLENS_ABI_VERSION_H

#define DLENS_ABI_MAJOR 0
#define DLENS_ABI_MINOR 5

#endif
