// SPDX-License-Identifier: Apache-2.0
// The 256-value blocks whose groups of 16 or 32 values have quantised scales of their own, times one half for
// the block: Q2_K, Q3_K, Q4_K, Q5_K, Q6_K. A group's scale is rounded nowhere: (half * quantised scale) and
// that times a quantum fit float32, so that a value is rounded only where a minimum is subtracted.
// Each function reads whole blocks; that they are there is dequantize()'s check.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "depthlens/files/blocks/halves.hpp"

namespace depthlens::detail {

inline constexpr std::size_t k_values = 256;

// Packed pairs of bits, 32 bytes for 128 values: the lowest pairs are values 0..31, the next 32..63, and so
// on. They are added to q from bit `At` on.
template <unsigned At>
DEPTHLENS_DEVICE void add_pairs(const std::byte* __restrict src, std::uint8_t* __restrict q) noexcept {
  for (unsigned half = 0; half < 2; ++half) {
    for (unsigned pair = 0; pair < 4; ++pair) {
      for (unsigned i = 0; i < 32; ++i) {
        const unsigned bits = load_u8(src + 32 * half + i) >> 2 * pair & 3u;
        std::uint8_t& to = q[128 * half + 32 * pair + i];
        to = static_cast<std::uint8_t>(to | bits << At);
      }
    }
  }
}

// 32 bytes of single bits: bit b of byte i belongs to value 32 b + i and becomes bit `At` of its quantum.
template <unsigned At>
DEPTHLENS_DEVICE void add_bits(const std::byte* __restrict src, std::uint8_t* __restrict q) noexcept {
  for (unsigned bit = 0; bit < 8; ++bit) {
    for (unsigned i = 0; i < 32; ++i) {
      std::uint8_t& to = q[32 * bit + i];
      to = static_cast<std::uint8_t>(to | (load_u8(src + i) >> bit & 1u) << At);
    }
  }
}

// 128 bytes of nibbles in runs of `Run` bytes: first the run's low nibbles, then its high ones.
template <unsigned Run>
DEPTHLENS_DEVICE void put_nibbles(const std::byte* __restrict src, std::uint8_t* __restrict q) noexcept {
  for (unsigned at = 0; at < 128; at += Run) {
    for (unsigned i = 0; i < Run; ++i) {
      q[2 * at + i] = static_cast<std::uint8_t>(load_u8(src + at + i) & 15u);
      q[2 * at + Run + i] = static_cast<std::uint8_t>(load_u8(src + at + i) >> 4);
    }
  }
}

// Each run of `Group` values has its own scale: scale * (q - zero).
template <unsigned Group>
DEPTHLENS_DEVICE void scale_groups(const std::uint8_t* __restrict q, int zero, const float* scale,
                                   float* __restrict dst) noexcept {
  for (unsigned g = 0; g < k_values / Group; ++g) {
    const float s = scale[g];
    for (unsigned i = g * Group; i < (g + 1) * Group; ++i) dst[i] = s * static_cast<float>(q[i] - zero);
  }
}

// Each run of `Group` values has its own scale and minimum: scale * q - min.
template <unsigned Group>
DEPTHLENS_DEVICE void scale_groups_min(const std::uint8_t* __restrict q, const float* scale, const float* min,
                                       float* __restrict dst) noexcept {
  for (unsigned g = 0; g < k_values / Group; ++g) {
    const float s = scale[g], m = min[g];
    for (unsigned i = g * Group; i < (g + 1) * Group; ++i) {
      dst[i] = s * static_cast<float>(static_cast<int>(q[i])) - m;
    }
  }
}

// 16 bytes of a 4-bit scale (low) and a 4-bit minimum (high), 64 bytes of pairs, half scale, half minimum.
DEPTHLENS_DEVICE inline void dequantize_q2_k(const std::byte* src, std::size_t blocks, float* dst) noexcept {
  for (std::size_t b = 0; b < blocks; ++b, src += 84, dst += k_values) {
    const float d = load_half(src + 80), d_min = load_half(src + 82);
    float scale[16], min[16];
    for (unsigned g = 0; g < 16; ++g) {
      scale[g] = d * static_cast<float>(load_u8(src + g) & 15u);
      min[g] = d_min * static_cast<float>(load_u8(src + g) >> 4);
    }
    std::uint8_t q[k_values] = {};
    add_pairs<0>(src + 16, q);
    scale_groups_min<16>(q, scale, min, dst);
  }
}

// 32 bytes of third bits, 64 bytes of pairs, 12 bytes of 6-bit scales, half scale. Of the scales, 8 bytes
// hold the low nibbles (of 0..7, then of 8..15), 4 bytes the upper pairs; 32 stands for 0. Without its third
// bit a quantum is 4 less.
DEPTHLENS_DEVICE inline void dequantize_q3_k(const std::byte* src, std::size_t blocks, float* dst) noexcept {
  for (std::size_t b = 0; b < blocks; ++b, src += 110, dst += k_values) {
    const float d = load_half(src + 108);
    float scale[16];
    for (unsigned g = 0; g < 16; ++g) {
      const unsigned low = load_u8(src + 96 + g % 8) >> 4 * (g / 8) & 15u;
      const unsigned high = load_u8(src + 104 + g % 4) >> 2 * (g / 4) & 3u;
      scale[g] = d * static_cast<float>(static_cast<int>(low | high << 4) - 32);
    }
    std::uint8_t q[k_values] = {};
    add_pairs<0>(src + 32, q);
    add_bits<2>(src, q);
    scale_groups<16>(q, 4, scale, dst);
  }
}

// Half scale, half minimum, then 8 scales and 8 minima of 6 bits in 12 bytes: those of groups 0..3 lie in the
// low bits of bytes 0..3 and 4..7; of groups 4..7 the nibbles are in bytes 8..11 and the rest in the upper
// two bits of bytes 0..7.
DEPTHLENS_DEVICE inline void read_k_scales(const std::byte* src, float* scale, float* min) noexcept {
  const float d = load_half(src), d_min = load_half(src + 2);
  for (unsigned g = 0; g < 4; ++g) {
    const unsigned a = load_u8(src + 4 + g), b = load_u8(src + 8 + g), c = load_u8(src + 12 + g);
    scale[g] = d * static_cast<float>(a & 63u);
    min[g] = d_min * static_cast<float>(b & 63u);
    scale[g + 4] = d * static_cast<float>((c & 15u) | (a >> 6) << 4);
    min[g + 4] = d_min * static_cast<float>(c >> 4 | (b >> 6) << 4);
  }
}

// Q4_K: 16 bytes of scales, 128 bytes of nibbles. Q5_K: 32 bytes of fifth bits between them.
template <bool WithFifth>
DEPTHLENS_DEVICE void dequantize_q45_k(const std::byte* src, std::size_t blocks, float* dst) noexcept {
  constexpr std::size_t fifth = WithFifth ? 32 : 0;
  for (std::size_t b = 0; b < blocks; ++b, src += 144 + fifth, dst += k_values) {
    float scale[8], min[8];
    read_k_scales(src, scale, min);
    std::uint8_t q[k_values];
    put_nibbles<32>(src + 16 + fifth, q);
    if constexpr (WithFifth) add_bits<4>(src + 16, q);
    scale_groups_min<32>(q, scale, min, dst);
  }
}

// 128 bytes of nibbles, 64 bytes of upper pairs, 16 signed scales of a byte, half scale; 32 stands for 0.
DEPTHLENS_DEVICE inline void dequantize_q6_k(const std::byte* src, std::size_t blocks, float* dst) noexcept {
  for (std::size_t b = 0; b < blocks; ++b, src += 210, dst += k_values) {
    const float d = load_half(src + 208);
    std::int8_t stored[16];
    std::memcpy(stored, src + 192, sizeof stored);
    float scale[16];
    for (unsigned g = 0; g < 16; ++g) scale[g] = d * static_cast<float>(static_cast<int>(stored[g]));
    std::uint8_t q[k_values];
    put_nibbles<64>(src, q);
    add_pairs<4>(src + 128, q);
    scale_groups<16>(q, 32, scale, dst);
  }
}

}  // namespace depthlens::detail
