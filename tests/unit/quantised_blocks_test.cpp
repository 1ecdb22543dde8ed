// SPDX-License-Identifier: Apache-2.0
// Blocks of 256 values and blocks with level tables: hand-made ones with every quantum, scale and minimum at
// its place, and patterned ones of every quantised type, whose digests gguf-py's dequantisation gave.
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "depthlens/abi/types.h"
#include "depthlens/base/hash.hpp"
#include "depthlens/files/blocks.hpp"
#include "depthlens/files/gguf_types.hpp"

using namespace depthlens;

namespace {

// A block that starts as zeros and is filled bit by bit.
class hand_made {
 public:
  explicit hand_made(dtype type) : type_(type), bytes_(block_size(type).bytes) {}

  void bits(std::size_t at, unsigned shift, unsigned value) {
    bytes_.at(at) |= static_cast<std::byte>(value << shift);
  }
  void half(std::size_t at, std::uint16_t h) {
    bits(at, 0, h & 255u);
    bits(at + 1, 0, h >> 8);
  }
  std::vector<float> values() const {
    std::vector<float> out(block_size(type_).values);
    dequantize(type_, bytes_.data(), out.size(), out.data());
    return out;
  }

 private:
  dtype type_;
  std::vector<std::byte> bytes_;
};

constexpr std::uint16_t half_of_half = 0x3800;  // 0.5
constexpr std::uint16_t half_of_quarter = 0x3400;
constexpr std::uint16_t half_of_minus_two = 0xc000;

// Quanta without a period that a wrong place could hide in.
unsigned quantum(unsigned i, unsigned bits) { return (i * i * 7 + i / 5 + i / 32) & ((1u << bits) - 1); }

// Q4_K and Q5_K: 6-bit scales g * 9 and minima 63 - g * 5 as the packing of 12 bytes has them.
void put_k_scales(hand_made& block) {
  block.half(0, half_of_half);
  block.half(2, half_of_quarter);
  for (unsigned g = 0; g < 8; ++g) {
    const unsigned scale = g * 9, min = 63 - g * 5;
    if (g < 4) {
      block.bits(4 + g, 0, scale);
      block.bits(8 + g, 0, min);
    } else {
      block.bits(4 + g - 4, 6, scale >> 4);
      block.bits(8 + g - 4, 6, min >> 4);
      block.bits(12 + g - 4, 0, scale & 15);
      block.bits(12 + g - 4, 4, min & 15);
    }
  }
}

float k_value(unsigned i, unsigned q) {
  const unsigned g = i / 32;
  return 0.5f * static_cast<float>(g * 9 * q) - 0.25f * static_cast<float>(63 - g * 5);
}

// `count` blocks of bytes from a small generator seeded with the type's number in GGUF files; each half has
// its exponent set to 11 (values about 0.06), so that no value is infinite or NaN for want of a finite scale.
std::vector<std::byte> patterned(const gguf_block_type& type, std::initializer_list<std::size_t> halves,
                                 std::size_t count) {
  std::uint32_t x = type.raw;
  std::vector<std::byte> out(count * type.bytes);
  for (std::byte& b : out) {
    x = x * 1664525u + 1013904223u;
    b = static_cast<std::byte>(x >> 24);
  }
  for (std::size_t block = 0; block < count; ++block) {
    for (const std::size_t half : halves) {
      std::byte& upper = out[block * type.bytes + half + 1];
      upper = (upper & std::byte{0x83}) | std::byte{0x2c};
    }
  }
  return out;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(quantised_blocks)

BOOST_AUTO_TEST_CASE(two_bit_blocks_have_four_bit_scales_and_minima) {
  hand_made block(dtype::q2_k);
  block.half(80, half_of_half);
  block.half(82, half_of_quarter);
  for (unsigned g = 0; g < 16; ++g) {
    block.bits(g, 0, g);
    block.bits(g, 4, 15 - g);
  }
  for (unsigned i = 0; i < 256; ++i) block.bits(16 + i / 128 * 32 + i % 32, i % 128 / 32 * 2, quantum(i, 2));
  const auto got = block.values();
  for (unsigned i = 0; i < 256; ++i) {
    const unsigned g = i / 16;
    const float want = 0.5f * static_cast<float>(g * quantum(i, 2)) - 0.25f * static_cast<float>(15 - g);
    BOOST_TEST(got[i] == want, "value " << i << ": " << got[i] << ", expected " << want);
  }
}

BOOST_AUTO_TEST_CASE(three_bit_blocks_have_signed_scales_and_a_third_bit_that_lifts) {
  hand_made block(dtype::q3_k);
  block.half(108, half_of_half);
  for (unsigned g = 0; g < 16; ++g) {
    const unsigned scale = g * 4 + 1;
    block.bits(96 + g % 8, g / 8 * 4, scale & 15);
    block.bits(104 + g % 4, g / 4 * 2, scale >> 4);
  }
  for (unsigned i = 0; i < 256; ++i) {
    block.bits(32 + i / 128 * 32 + i % 32, i % 128 / 32 * 2, quantum(i, 3) & 3);
    block.bits(i % 32, i / 32, quantum(i, 3) >> 2);
  }
  const auto got = block.values();
  for (unsigned i = 0; i < 256; ++i) {
    const int scale = static_cast<int>(i / 16 * 4 + 1) - 32;
    const float want = 0.5f * static_cast<float>(scale * (static_cast<int>(quantum(i, 3)) - 4));
    BOOST_TEST(got[i] == want, "value " << i << ": " << got[i] << ", expected " << want);
  }
}

BOOST_AUTO_TEST_CASE(four_and_five_bit_blocks_share_the_packing_of_their_scales) {
  hand_made four(dtype::q4_k), five(dtype::q5_k);
  put_k_scales(four);
  put_k_scales(five);
  for (unsigned i = 0; i < 256; ++i) {
    const unsigned byte = i / 64 * 32 + i % 32, shift = i / 32 % 2 * 4;
    four.bits(16 + byte, shift, quantum(i, 4));
    five.bits(48 + byte, shift, quantum(i, 5) & 15);
    five.bits(16 + i % 32, i / 32, quantum(i, 5) >> 4);
  }
  const auto a = four.values();
  const auto b = five.values();
  for (unsigned i = 0; i < 256; ++i) {
    BOOST_TEST(a[i] == k_value(i, quantum(i, 4)), "Q4_K, value " << i << ": " << a[i]);
    BOOST_TEST(b[i] == k_value(i, quantum(i, 5)), "Q5_K, value " << i << ": " << b[i]);
  }
}

BOOST_AUTO_TEST_CASE(six_bit_blocks_have_signed_scales_of_a_byte) {
  hand_made block(dtype::q6_k);
  block.half(208, half_of_minus_two);
  for (unsigned g = 0; g < 16; ++g) block.bits(192 + g, 0, (g * 17 + 128) & 255);  // -128, -111, ... 127
  for (unsigned i = 0; i < 256; ++i) {
    block.bits(i / 128 * 64 + i % 64, i / 64 % 2 * 4, quantum(i, 6) & 15);
    block.bits(128 + i / 128 * 32 + i % 32, i / 32 % 4 * 2, quantum(i, 6) >> 4);
  }
  const auto got = block.values();
  for (unsigned i = 0; i < 256; ++i) {
    const int scale = static_cast<int>(i / 16) * 17 - 128;
    const float want = -2.0f * static_cast<float>(scale * (static_cast<int>(quantum(i, 6)) - 32));
    BOOST_TEST(got[i] == want, "value " << i << ": " << got[i] << ", expected " << want);
  }
}

BOOST_AUTO_TEST_CASE(uneven_levels_are_looked_up_low_nibbles_first) {
  constexpr float levels[] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};
  hand_made small(dtype::iq4_nl), large(dtype::iq4_xs);
  small.half(0, half_of_half);
  large.half(0, half_of_half);
  for (unsigned i = 0; i < 32; ++i) small.bits(2 + i % 16, i / 16 * 4, quantum(i, 4));
  for (unsigned g = 0; g < 8; ++g) {
    const unsigned scale = g * 9;  // 0, 9, ... 63, that is -32, -23, ... 31
    large.bits(4 + g / 2, g % 2 * 4, scale & 15);
    large.bits(2 + g / 4, g % 4 * 2, scale >> 4);
  }
  for (unsigned i = 0; i < 256; ++i) large.bits(8 + i / 32 * 16 + i % 16, i / 16 % 2 * 4, quantum(i, 4));
  const auto a = small.values();
  const auto b = large.values();
  for (unsigned i = 0; i < 32; ++i) BOOST_TEST(a[i] == 0.5f * levels[quantum(i, 4)], "IQ4_NL, value " << i);
  for (unsigned i = 0; i < 256; ++i) {
    const float scale = 0.5f * (static_cast<float>(i / 32 * 9) - 32);
    BOOST_TEST(b[i] == scale * levels[quantum(i, 4)], "IQ4_XS, value " << i << ": " << b[i]);
  }
}

BOOST_AUTO_TEST_CASE(four_bit_floats_have_a_power_of_two_as_scale) {
  constexpr double values[] = {0, 0.5, 1, 1.5, 2, 3, 4, 6, 0, -0.5, -1, -1.5, -2, -3, -4, -6};
  for (const int exponent : {0, 1, 2, 3, 126, 127, 128, 252}) {
    hand_made block(dtype::mxfp4);
    block.bits(0, 0, static_cast<unsigned>(exponent));
    for (unsigned i = 0; i < 16; ++i) block.bits(1 + i, 0, i | (15 - i) << 4);
    const auto got = block.values();
    for (unsigned i = 0; i < 16; ++i) {
      BOOST_TEST(static_cast<double>(got[i]) == std::ldexp(values[i], exponent - 127));
      BOOST_TEST(static_cast<double>(got[i + 16]) == std::ldexp(values[15 - i], exponent - 127));
    }
  }
  hand_made largest(dtype::mxfp4);
  largest.bits(0, 0, 255);
  largest.bits(1, 0, 0x7f);  // 6 * 2^128 and -6 * 2^128 are beyond float32
  BOOST_TEST(largest.values()[0] == -std::numeric_limits<float>::infinity());
  BOOST_TEST(largest.values()[16] == std::numeric_limits<float>::infinity());
}

BOOST_AUTO_TEST_CASE(patterned_blocks_of_every_type_have_the_values_of_a_python_implementation) {
  struct row {
    std::uint32_t raw;
    std::initializer_list<std::size_t> halves;
    const char* digest;
  };
  const row rows[] = {
      {2, {0}, "617ac3206b6bb2bcba7fa34f39f997b9cb95a2ab9e356b7d14f975030898592d"},
      {3, {0, 2}, "7e547e5f14d5aeeda73f5e5a0f5933dd7b37290bc23bd2e2834f87f92c4cd49e"},
      {6, {0}, "d6f97eaea89bd55cce2458cb950ca5a37a694736f777b44250b8acac1b448f01"},
      {7, {0, 2}, "a65e2dc3493ad0fb8817ff8f270a5ba49b78dc5a180c62d7d2fb4b2c4346a285"},
      {8, {0}, "c593004346ce48577685be8f7137d1237dab83c64668f14d1db582e57f1acb3c"},
      {10, {80, 82}, "c41ce7dd7d66bda0fedeb4275a1089e2ec279bd09a22eb40bb390f70186a41ba"},
      {11, {108}, "62596748b04b96e2783829ec60c01718bfecbd2310c3ef839bc287ef9356d9f5"},
      {12, {0, 2}, "4d34dff17bbfe203e74d2666be7a2d106f2fd3f8473059775fe70d69e1920a6a"},
      {13, {0, 2}, "4aec50eb6b1b55b3c8ea08b30370a038452f6789db46619989b46fe52fcfe1e8"},
      {14, {208}, "4a813c1e7179c4bd12206d164a252ecd6e9b5153aae44f306d73c8ff36f7ac5c"},
      {20, {0}, "7843f6227f1e128c1256f492d23e77b3085d341157d955e4a9f3da6a0f1890d9"},
      {23, {0}, "5eba5d1ce3df99189386365dc3192731dbe9acfaa6f82e6804a912026a902d8d"},
      {39, {}, "83029dc4c87d15b43e765eb89ce27234e338e1d68e6efdc7f8ca008ed45e3b57"},
  };
  for (const row& r : rows) {
    const gguf_block_type& type = *find_gguf_block_type(r.raw);
    const std::vector<std::byte> blocks = patterned(type, r.halves, 64);
    std::vector<float> values(64 * type.values);
    dequantize(type.type, blocks.data(), values.size(), values.data());
    BOOST_TEST(sha256(std::as_bytes(std::span(values))) == r.digest, type.name << " differs");
  }
}

BOOST_AUTO_TEST_CASE(the_tables_of_file_types_and_of_block_types_agree) {
  int readable = 0;
  for (std::uint32_t raw = 0; raw < 64; ++raw) {
    const gguf_block_type* type = find_gguf_block_type(raw);
    if (type == nullptr || type->type == dtype::other) continue;
    BOOST_TEST(std::string(type->name) == dtype_name(type->type));
    BOOST_TEST(type->values == block_size(type->type).values);
    BOOST_TEST(type->bytes == block_size(type->type).bytes);
    ++readable;
  }
  BOOST_TEST(readable == 16);
  BOOST_TEST(block_size(static_cast<dtype>(17)).values == 0u);
  BOOST_TEST(readable_dtypes() ==
             "F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2_K, Q3_K, Q4_K, Q5_K, Q6_K, IQ4_NL, IQ4_XS and "
             "MXFP4");
}

BOOST_AUTO_TEST_CASE(block_types_have_the_numbers_of_the_c_interface) {
  const std::pair<dtype, int> pairs[] = {
      {dtype::f32, DLENS_DTYPE_F32},       {dtype::f16, DLENS_DTYPE_F16},
      {dtype::bf16, DLENS_DTYPE_BF16},     {dtype::q4_0, DLENS_DTYPE_Q4_0},
      {dtype::q4_1, DLENS_DTYPE_Q4_1},     {dtype::q5_0, DLENS_DTYPE_Q5_0},
      {dtype::q5_1, DLENS_DTYPE_Q5_1},     {dtype::q8_0, DLENS_DTYPE_Q8_0},
      {dtype::q2_k, DLENS_DTYPE_Q2_K},     {dtype::q3_k, DLENS_DTYPE_Q3_K},
      {dtype::q4_k, DLENS_DTYPE_Q4_K},     {dtype::q5_k, DLENS_DTYPE_Q5_K},
      {dtype::q6_k, DLENS_DTYPE_Q6_K},     {dtype::iq4_nl, DLENS_DTYPE_IQ4_NL},
      {dtype::iq4_xs, DLENS_DTYPE_IQ4_XS}, {dtype::mxfp4, DLENS_DTYPE_MXFP4},
  };
  int number = 0;
  for (const auto& [type, c_number] : pairs) {
    BOOST_TEST(static_cast<int>(type) == c_number);
    BOOST_TEST(c_number == number++);
  }
}

BOOST_AUTO_TEST_SUITE_END()
