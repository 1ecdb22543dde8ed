// SPDX-License-Identifier: Apache-2.0
// Stored weights to float32: half precisions and the 32-value quantised blocks. Each product of a scale (11
// bits) and a quantum (at most 8 bits) is exact in float32, so the values do not depend on the instruction
// set or on fused multiply-add; they equal gguf-py's dequantisation bit for bit.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "depthlens/error.hpp"
#include "depthlens/tensor.hpp"

namespace depthlens {

// One block of a dtype: how many values it holds in how many bytes.
struct block_layout {
  std::size_t values;
  std::size_t bytes;
};

// {0, 0} for dtype::other.
constexpr block_layout block_size(dtype type) noexcept {
  switch (type) {
    case dtype::f32:
      return {1, 4};
    case dtype::f16:
      return {1, 2};
    case dtype::bf16:
      return {1, 2};
    case dtype::q4_0:
      return {32, 18};
    case dtype::q4_1:
      return {32, 20};
    case dtype::q5_0:
      return {32, 22};
    case dtype::q5_1:
      return {32, 24};
    case dtype::q8_0:
      return {32, 34};
    case dtype::other:
      break;
  }
  return {0, 0};
}

constexpr const char* dtype_name(dtype type) noexcept {
  switch (type) {
    case dtype::f32:
      return "F32";
    case dtype::f16:
      return "F16";
    case dtype::bf16:
      return "BF16";
    case dtype::q4_0:
      return "Q4_0";
    case dtype::q4_1:
      return "Q4_1";
    case dtype::q5_0:
      return "Q5_0";
    case dtype::q5_1:
      return "Q5_1";
    case dtype::q8_0:
      return "Q8_0";
    case dtype::other:
      break;
  }
  return "other";
}

// IEEE half to float, every bit pattern, without branches, so that a loop over it becomes vector code.
// Subnormal halves are rebuilt by an exact subtraction and so survive a CPU set to flush subnormal floats.
inline float f16_to_f32(std::uint16_t h) noexcept {
  const std::uint32_t magnitude = static_cast<std::uint32_t>(h & 0x7fffu) << 13;
  const std::uint32_t exponent = magnitude & 0x0f800000u;
  const std::uint32_t normal = magnitude + 0x38000000u + (exponent == 0x0f800000u ? 0x38000000u : 0u);
  const float small = std::bit_cast<float>(magnitude + 0x38800000u) - std::bit_cast<float>(0x38800000u);
  const std::uint32_t bits = exponent == 0 ? std::bit_cast<std::uint32_t>(small) : normal;
  return std::bit_cast<float>(bits | static_cast<std::uint32_t>(h & 0x8000u) << 16);
}

inline float bf16_to_f32(std::uint16_t h) noexcept {
  return std::bit_cast<float>(static_cast<std::uint32_t>(h) << 16);
}

namespace detail {

inline std::uint16_t load_u16(const std::byte* at) noexcept {
  std::uint16_t out;
  std::memcpy(&out, at, sizeof out);
  return out;
}

// 16 packed bytes to 32 nibbles: low halves are values 0..15 of a block, high halves 16..31.
inline void unpack_nibbles(const std::byte* __restrict src, std::uint8_t* __restrict q) noexcept {
  for (int i = 0; i < 16; ++i) {
    const auto b = static_cast<std::uint8_t>(src[i]);
    q[i] = b & 15;
    q[i + 16] = b >> 4;
  }
}

// Adds bit i of `high` as bit 4 of quantum i.
inline void add_fifth_bits(const std::byte* src, std::uint8_t* __restrict q) noexcept {
  std::uint32_t high;
  std::memcpy(&high, src, sizeof high);
  for (int i = 0; i < 32; ++i) q[i] = static_cast<std::uint8_t>(q[i] | ((high >> i & 1u) << 4));
}

inline void scale_block(const std::uint8_t* __restrict q, int zero, float d, float* __restrict dst) noexcept {
  for (int i = 0; i < 32; ++i) dst[i] = d * static_cast<float>(static_cast<int>(q[i]) - zero);
}

inline void scale_block_min(const std::uint8_t* __restrict q, float d, float m,
                            float* __restrict dst) noexcept {
  for (int i = 0; i < 32; ++i) dst[i] = d * static_cast<float>(static_cast<int>(q[i])) + m;
}

// Legacy 4- and 5-bit blocks: scale, with_min: minimum, with_fifth: 32 high bits, then 16 bytes of nibbles.
template <bool WithMin, bool WithFifth>
void dequantize_nibbles(const std::byte* src, std::size_t blocks, float* dst) noexcept {
  constexpr std::size_t head = WithMin ? 4 : 2;
  constexpr std::size_t fifth = WithFifth ? 4 : 0;
  for (std::size_t b = 0; b < blocks; ++b, src += head + fifth + 16, dst += 32) {
    std::uint8_t q[32];
    unpack_nibbles(src + head + fifth, q);
    if constexpr (WithFifth) add_fifth_bits(src + head, q);
    const float d = f16_to_f32(load_u16(src));
    if constexpr (WithMin) {
      scale_block_min(q, d, f16_to_f32(load_u16(src + 2)), dst);
    } else {
      scale_block(q, WithFifth ? 16 : 8, d, dst);
    }
  }
}

inline void dequantize_q8_0(const std::byte* src, std::size_t blocks, float* __restrict dst) noexcept {
  for (std::size_t b = 0; b < blocks; ++b, src += 34, dst += 32) {
    std::int8_t q[32];
    std::memcpy(q, src + 2, sizeof q);
    const float d = f16_to_f32(load_u16(src));
    for (int i = 0; i < 32; ++i) dst[i] = d * static_cast<float>(static_cast<int>(q[i]));
  }
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

// n values of `type` at src to floats at dst (n). n is a multiple of block_size(type).values; src may be
// unaligned and holds n / values * bytes bytes; src and dst do not overlap. Errors: status::data for
// dtype::other or an n that splits a block. Thread-safe.
inline void dequantize(dtype type, const std::byte* src, std::size_t n, float* dst) {
  const block_layout block = block_size(type);
  if (block.values == 0) fail(status::data, "a tensor of this block type cannot be read as numbers");
  if (n % block.values != 0) {
    fail(status::data, n, " values do not fill whole ", dtype_name(type), " blocks of ", block.values);
  }
  const std::size_t blocks = n / block.values;
  switch (type) {
    case dtype::f32:
      if (n > 0) std::memcpy(dst, src, n * sizeof(float));
      break;
    case dtype::f16:
      detail::widen<f16_to_f32>(src, n, dst);
      break;
    case dtype::bf16:
      detail::widen<bf16_to_f32>(src, n, dst);
      break;
    case dtype::q4_0:
      detail::dequantize_nibbles<false, false>(src, blocks, dst);
      break;
    case dtype::q4_1:
      detail::dequantize_nibbles<true, false>(src, blocks, dst);
      break;
    case dtype::q5_0:
      detail::dequantize_nibbles<false, true>(src, blocks, dst);
      break;
    case dtype::q5_1:
      detail::dequantize_nibbles<true, true>(src, blocks, dst);
      break;
    case dtype::q8_0:
      detail::dequantize_q8_0(src, blocks, dst);
      break;
    case dtype::other:
      break;
  }
}

}  // namespace depthlens
