// SPDX-License-Identifier: Apache-2.0
// The kernels for x86-64-v3 (AVX2 and fused multiply-add); compiled with -march=x86-64-v3 and only called
// where the CPU has it.
#define DEPTHLENS_ISA v3
#include "kernels_of.hpp"

namespace depthlens::cpu {

const kernel_table& kernels_v3() { return v3::table; }

}  // namespace depthlens::cpu
