// SPDX-License-Identifier: Apache-2.0
// The version of the program; the build sets it from the project's.
#pragma once

#ifndef DEPTHLENS_VERSION
#error "DEPTHLENS_VERSION is set by the build"
#endif
