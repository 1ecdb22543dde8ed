// SPDX-License-Identifier: Apache-2.0
// The 32-value blocks with one scale, and perhaps one minimum, for all: Q4_0, Q4_1, Q5_0, Q5_1, Q8_0. Each
// function reads whole blocks; that they are there, and fill the values asked for, is dequantize()'s check.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "depthlens/files/blocks/halves.hpp"

namespace depthlens::detail {

// 16 packed bytes to 32 nibbles: low halves are values 0..15 of a block, high halves 16..31.
DEPTHLENS_DEVICE inline void unpack_nibbles(const std::byte* __restrict src,
                                            std::uint8_t* __restrict q) noexcept {
  for (int i = 0; i < 16; ++i) {
    const auto b = static_cast<std::uint8_t>(src[i]);
    q[i] = b & 15;
    q[i + 16] = b >> 4;
  }
}

// Adds bit i of `high` as bit 4 of quantum i.
DEPTHLENS_DEVICE inline void add_fifth_bits(const std::byte* src, std::uint8_t* __restrict q) noexcept {
  std::uint32_t high;
  std::memcpy(&high, src, sizeof high);
  for (int i = 0; i < 32; ++i) q[i] = static_cast<std::uint8_t>(q[i] | ((high >> i & 1u) << 4));
}

DEPTHLENS_DEVICE inline void scale_block(const std::uint8_t* __restrict q, int zero, float d,
                                         float* __restrict dst) noexcept {
  for (int i = 0; i < 32; ++i) dst[i] = d * static_cast<float>(static_cast<int>(q[i]) - zero);
}

DEPTHLENS_DEVICE inline void scale_block_min(const std::uint8_t* __restrict q, float d, float m,
                                             float* __restrict dst) noexcept {
  for (int i = 0; i < 32; ++i) dst[i] = d * static_cast<float>(static_cast<int>(q[i])) + m;
}

// 4- and 5-bit blocks: scale, with_min: minimum, with_fifth: 32 high bits, then 16 bytes of nibbles.
template <bool WithMin, bool WithFifth>
DEPTHLENS_DEVICE void dequantize_nibbles(const std::byte* src, std::size_t blocks, float* dst) noexcept {
  constexpr std::size_t head = WithMin ? 4 : 2;
  constexpr std::size_t fifth = WithFifth ? 4 : 0;
  for (std::size_t b = 0; b < blocks; ++b, src += head + fifth + 16, dst += 32) {
    std::uint8_t q[32];
    unpack_nibbles(src + head + fifth, q);
    if constexpr (WithFifth) add_fifth_bits(src + head, q);
    const float d = load_half(src);
    if constexpr (WithMin) {
      scale_block_min(q, d, load_half(src + 2), dst);
    } else {
      scale_block(q, WithFifth ? 16 : 8, d, dst);
    }
  }
}

DEPTHLENS_DEVICE inline void dequantize_q8_0(const std::byte* src, std::size_t blocks,
                                             float* __restrict dst) noexcept {
  for (std::size_t b = 0; b < blocks; ++b, src += 34, dst += 32) {
    std::int8_t q[32];
    std::memcpy(q, src + 2, sizeof q);
    const float d = load_half(src);
    for (int i = 0; i < 32; ++i) dst[i] = d * static_cast<float>(static_cast<int>(q[i]));
  }
}

}  // namespace depthlens::detail
