// SPDX-License-Identifier: Apache-2.0
// The one macro of functions that GPUs run too: those of plain values and pointers, without exceptions,
// allocation or standard containers. To any other compiler than nvcc it is nothing.
#pragma once

#if defined(__CUDACC__)
#define DEPTHLENS_DEVICE __host__ __device__
#else
#define DEPTHLENS_DEVICE
#endif
