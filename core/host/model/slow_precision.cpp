// SPDX-License-Identifier: Apache-2.0
#include "model/slow_precision.hpp"

#include "depthlens/base/error.hpp"

#include <iomanip>

namespace depthlens {

bool processor_has_bf16() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx512bf16") != 0;  // processors with AMX have these too
#else
  return true;  // not known
#endif
}

std::optional<std::string> slow_precision(std::string_view precision, std::string_view device,
                                          bool has_bf16) {
  if (precision != "bf16" || !device.starts_with("cpu") || has_bf16) return std::nullopt;
  return "this processor has no instructions for bf16: products are slower than in f32, which is exact too; "
         "--precision f32 is the faster choice";
}

std::optional<std::string> slow_precision(std::string_view precision, double rate, double f32_rate) {
  if (precision == "f32" || rate <= 0 || rate >= f32_rate) return std::nullopt;
  constexpr double giga = 1e9;
  return cat(precision, " is slower than f32 here: plain products reach ", std::fixed, std::setprecision(0),
             rate / giga, " GFLOP/s in ", precision, " and ", f32_rate / giga,
             " in f32, which is exact too; --precision f32 is the faster choice");
}

}  // namespace depthlens
