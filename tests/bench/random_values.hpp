// SPDX-License-Identifier: Apache-2.0
// Operands of the microbenchmarks: the same values in every run.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

namespace depthlens::benchmarks {

// Evenly distributed in -spread..spread.
inline std::vector<float> random_floats(std::size_t n, float spread = 1) {
  std::mt19937 bits(1);
  std::uniform_real_distribution<float> values(-spread, spread);
  std::vector<float> out(n);
  for (float& x : out) x = values(bits);
  return out;
}

inline std::vector<std::byte> random_bytes(std::size_t n) {
  std::mt19937 bits(1);
  std::vector<std::byte> out(n);
  for (std::byte& b : out) b = static_cast<std::byte>(bits() & 0xff);
  return out;
}

}  // namespace depthlens::benchmarks
