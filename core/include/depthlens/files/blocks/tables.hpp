// SPDX-License-Identifier: Apache-2.0
// The blocks whose 4-bit quanta number the entries of a fixed table: IQ4_NL and IQ4_XS (16 unevenly spaced
// levels), MXFP4 (4-bit floats under a power of two). Each function reads whole blocks; that they are there
// is dequantize()'s check.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#include "depthlens/files/blocks/halves.hpp"

namespace depthlens::detail {

struct nibble_levels {
  float at[16];
};

// Functions, as GPUs do not see the constants of the host.
DEPTHLENS_DEVICE constexpr nibble_levels iq4_levels() noexcept {
  return {{-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113}};
}

// Twice the values of a 4-bit float (1 sign, 2 exponent, 1 fraction bit). -0 reads as 0.
DEPTHLENS_DEVICE constexpr nibble_levels mxfp4_doubled() noexcept {
  return {{0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12}};
}

// 16 packed bytes to 32 values d * levels[nibble]: low nibbles first.
DEPTHLENS_DEVICE inline void look_up_nibbles(const std::byte* src, float d, const nibble_levels& levels,
                                             float* __restrict dst) noexcept {
  float scaled[16];
  for (unsigned i = 0; i < 16; ++i) scaled[i] = d * levels.at[i];
  for (unsigned i = 0; i < 16; ++i) {
    const unsigned b = load_u8(src + i);
    dst[i] = scaled[b & 15u];
    dst[i + 16] = scaled[b >> 4];
  }
}

// Half scale, 16 bytes of nibbles.
DEPTHLENS_DEVICE inline void dequantize_iq4_nl(const std::byte* src, std::size_t blocks,
                                               float* dst) noexcept {
  for (std::size_t b = 0; b < blocks; ++b, src += 18, dst += 32) {
    look_up_nibbles(src + 2, load_half(src), iq4_levels(), dst);
  }
}

// Half scale, the upper pairs of 8 scales, their low nibbles in 4 bytes (two scales a byte), then the nibbles
// of 8 groups of 32 values; scale 32 stands for 0.
DEPTHLENS_DEVICE inline void dequantize_iq4_xs(const std::byte* src, std::size_t blocks,
                                               float* dst) noexcept {
  for (std::size_t b = 0; b < blocks; ++b, src += 136, dst += 256) {
    const float d = load_half(src);
    const unsigned upper = load_u16(src + 2);
    for (unsigned g = 0; g < 8; ++g) {
      const unsigned low = load_u8(src + 4 + g / 2) >> 4 * (g % 2) & 15u;
      const unsigned high = upper >> 2 * g & 3u;
      const float scale = d * static_cast<float>(static_cast<int>(low | high << 4) - 32);
      look_up_nibbles(src + 8 + 16 * g, scale, iq4_levels(), dst + 32 * g);
    }
  }
}

// 2^(e - 128), half of what the exponent byte e says, because the table holds doubled values. No e is a NaN.
DEPTHLENS_DEVICE inline float mxfp4_scale(unsigned e) noexcept {
  return std::bit_cast<float>(e < 2 ? 0x00200000u << e : (e - 1) << 23);
}

// Exponent byte, 16 bytes of nibbles. Values below 2^-126 (e < 2 only) are subnormal, and zero on a CPU set
// to flush those.
DEPTHLENS_DEVICE inline void dequantize_mxfp4(const std::byte* src, std::size_t blocks, float* dst) noexcept {
  for (std::size_t b = 0; b < blocks; ++b, src += 17, dst += 32) {
    look_up_nibbles(src + 1, mxfp4_scale(load_u8(src)), mxfp4_doubled(), dst);
  }
}

// Neighbours in a byte, the first in its low half; exponent bytes lie by themselves.
DEPTHLENS_DEVICE inline void dequantize_mxfp4_pairs(const std::byte* src, const std::byte* scales,
                                                    std::size_t blocks, float* dst) noexcept {
  const nibble_levels levels = mxfp4_doubled();
  for (std::size_t b = 0; b < blocks; ++b, src += 16, dst += 32) {
    const float d = mxfp4_scale(load_u8(scales + b));
    for (unsigned i = 0; i < 16; ++i) {
      const unsigned pair = load_u8(src + i);
      dst[2 * i] = d * levels.at[pair & 15u];
      dst[2 * i + 1] = d * levels.at[pair >> 4];
    }
  }
}

}  // namespace depthlens::detail
