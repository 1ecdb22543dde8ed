// SPDX-License-Identifier: Apache-2.0
// The kernels for x86-64-v4 (AVX-512); compiled with -march=x86-64-v4 and only called where the CPU has it.
#define DEPTHLENS_ISA v4
#include "kernels_of.hpp"

namespace depthlens::cpu {

const kernel_table& kernels_v4() { return v4::table; }

}  // namespace depthlens::cpu
