// SPDX-License-Identifier: Apache-2.0
// 16-bit floats to float32, one by one and in long runs, and reads of small numbers at any address, as the
// scales of quantised blocks are stored.
#pragma once

#include "depthlens/base/device_code.hpp"

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace depthlens {

// IEEE half to float, every bit pattern, without branches, so that a loop over it becomes vector code.
// Subnormal halves are rebuilt by an exact subtraction and so survive a CPU set to flush subnormal floats.
DEPTHLENS_DEVICE inline float f16_to_f32(std::uint16_t h) noexcept {
  const std::uint32_t magnitude = static_cast<std::uint32_t>(h & 0x7fffu) << 13;
  const std::uint32_t exponent = magnitude & 0x0f800000u;
  const std::uint32_t normal = magnitude + 0x38000000u + (exponent == 0x0f800000u ? 0x38000000u : 0u);
  const float small = std::bit_cast<float>(magnitude + 0x38800000u) - std::bit_cast<float>(0x38800000u);
  const std::uint32_t bits = exponent == 0 ? std::bit_cast<std::uint32_t>(small) : normal;
  return std::bit_cast<float>(bits | static_cast<std::uint32_t>(h & 0x8000u) << 16);
}

// To the nearest number of 8 bits of mantissa, of two as near to the even one. x is no NaN.
inline float rounded_to_bf16(float x) noexcept {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  return std::bit_cast<float>((bits + 0x7fffu + (bits >> 16 & 1u)) & 0xffff0000u);
}

DEPTHLENS_DEVICE inline float bf16_to_f32(std::uint16_t h) noexcept {
  return std::bit_cast<float>(static_cast<std::uint32_t>(h) << 16);
}

namespace detail {

DEPTHLENS_DEVICE inline std::uint16_t load_u16(const std::byte* at) noexcept {
  std::uint16_t out;
  std::memcpy(&out, at, sizeof out);
  return out;
}

DEPTHLENS_DEVICE inline float load_half(const std::byte* at) noexcept { return f16_to_f32(load_u16(at)); }

DEPTHLENS_DEVICE inline unsigned load_u8(const std::byte* at) noexcept {
  return std::to_integer<unsigned>(*at);
}

// 16-bit floats in chunks through a local array, because src may be unaligned.
template <float (*Widen)(std::uint16_t) noexcept>
void widen(const std::byte* src, std::size_t n, float* __restrict dst) noexcept {
  constexpr std::size_t chunk = 64;
  std::uint16_t h[chunk];
  for (; n >= chunk; n -= chunk, src += 2 * chunk, dst += chunk) {
    std::memcpy(h, src, sizeof h);
    for (std::size_t i = 0; i < chunk; ++i) dst[i] = Widen(h[i]);
  }
  for (std::size_t i = 0; i < n; ++i) dst[i] = Widen(load_u16(src + 2 * i));
}

}  // namespace detail

}  // namespace depthlens
