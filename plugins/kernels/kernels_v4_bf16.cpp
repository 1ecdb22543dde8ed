// SPDX-License-Identifier: Apache-2.0
// The kernels for x86-64-v4 with conversions to bf16 (AVX512-BF16); only called where the CPU has both. The
// bits are those of kernels_v4.cpp, rounding a row to bf16 takes a tenth of the instructions.
#define DEPTHLENS_ISA v4_bf16
#include "kernels_of.hpp"

namespace depthlens::cpu {

const kernel_table& kernels_v4_bf16() { return v4_bf16::table; }

}  // namespace depthlens::cpu
