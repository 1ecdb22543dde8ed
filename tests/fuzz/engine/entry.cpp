// SPDX-License-Identifier: Apache-2.0
// The libFuzzer program of one target: DEPTHLENS_FUZZ_TARGET is its function.
#include "fuzz/targets.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  depthlens::fuzz::DEPTHLENS_FUZZ_TARGET(std::string_view(reinterpret_cast<const char*>(data), size));
  return 0;
}
