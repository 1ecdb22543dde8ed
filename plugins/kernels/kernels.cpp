// SPDX-License-Identifier: Apache-2.0
// Picks the kernels for this CPU, and holds those for the instruction set that every machine of the target
// has.
#include "kernels_of.hpp"

namespace depthlens::cpu {

#if defined(DEPTHLENS_X86_64_KERNELS)
const kernel_table& kernels_v3();
const kernel_table& kernels_v4();
const kernel_table& kernels_v4_bf16();

const kernel_table& kernels() {
  static const kernel_table& best = []() -> const kernel_table& {
    __builtin_cpu_init();
    const bool v3 =
        __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
    const bool v4 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                    __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
                    __builtin_cpu_supports("avx512vl");
    if (v3 && v4) return __builtin_cpu_supports("avx512bf16") ? kernels_v4_bf16() : kernels_v4();
    return v3 ? kernels_v3() : baseline::table;
  }();
  return best;
}
#else
const kernel_table& kernels() { return baseline::table; }
#endif

}  // namespace depthlens::cpu
