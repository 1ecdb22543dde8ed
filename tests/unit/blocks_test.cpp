// SPDX-License-Identifier: Apache-2.0
// Stored weights to float32: every half, hand-made blocks, and bit for bit the values of a Python reference.
#include "depthlens/files/blocks.hpp"

#include <boost/test/unit_test.hpp>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "depthlens/files/gguf.hpp"
#include "depthlens/files/safetensors.hpp"
#include "support/model_bytes.hpp"
#include "support/reference.hpp"

using namespace depthlens;
using depthlens::test::fails_with;

namespace {

std::vector<float> floats(dtype type, const test::byte_writer& bytes, std::size_t n) {
  std::vector<float> out(n);
  dequantize(type, bytes.bytes().data(), n, out.data());
  return out;
}

// The textbook reading of an IEEE half.
double half_value(std::uint16_t h) {
  const int exponent = h >> 10 & 31;
  const int fraction = h & 1023;
  const double sign = h & 0x8000 ? -1.0 : 1.0;
  if (exponent == 0) return sign * std::ldexp(fraction, -24);
  return sign * std::ldexp(1024 + fraction, exponent - 25);
}

constexpr std::uint16_t half_of_half = 0x3800;  // 0.5
constexpr std::uint16_t half_of_minus_two = 0xc000;

}  // namespace

BOOST_AUTO_TEST_SUITE(blocks)

BOOST_AUTO_TEST_CASE(every_finite_half_becomes_its_exact_value) {
  int wrong = 0;
  for (std::uint32_t h = 0; h < 65536; ++h) {
    const auto half = static_cast<std::uint16_t>(h);
    if ((half >> 10 & 31) == 31) continue;
    const float got = f16_to_f32(half);
    if (static_cast<double>(got) != half_value(half) || std::signbit(got) != (half >> 15 == 1)) ++wrong;
  }
  BOOST_TEST(wrong == 0);
}

BOOST_AUTO_TEST_CASE(infinite_halves_stay_infinite_and_nans_stay_nan) {
  BOOST_TEST(f16_to_f32(0x7c00) == std::numeric_limits<float>::infinity());
  BOOST_TEST(f16_to_f32(0xfc00) == -std::numeric_limits<float>::infinity());
  int nans = 0;
  for (std::uint32_t f = 1; f < 1024; ++f)
    nans += std::isnan(f16_to_f32(static_cast<std::uint16_t>(0x7c00 | f)));
  BOOST_TEST(nans == 1023);
}

BOOST_AUTO_TEST_CASE(bf16_is_the_upper_half_of_a_float) {
  BOOST_TEST(bf16_to_f32(0x3f80) == 1.0f);
  BOOST_TEST(bf16_to_f32(0xc049) == -3.140625f);
}

BOOST_AUTO_TEST_CASE(nibble_blocks_put_low_halves_first) {
  test::byte_writer q4_0, q4_1;
  q4_0.put(half_of_half);
  q4_1.put(half_of_half).put(half_of_minus_two);
  for (int i = 0; i < 16; ++i) {
    const auto byte = static_cast<std::uint8_t>((15 - i) << 4 | i);
    q4_0.put(byte);
    q4_1.put(byte);
  }
  const auto a = floats(dtype::q4_0, q4_0, 32);
  const auto b = floats(dtype::q4_1, q4_1, 32);
  for (std::size_t i = 0; i < 16; ++i) {
    const float low = static_cast<float>(i), high = 15.0f - low;
    BOOST_TEST(a[i] == 0.5f * (low - 8));
    BOOST_TEST(a[i + 16] == 0.5f * (high - 8));
    BOOST_TEST(b[i] == 0.5f * low - 2);
    BOOST_TEST(b[i + 16] == 0.5f * high - 2);
  }
}

BOOST_AUTO_TEST_CASE(fifth_bits_belong_to_the_values_of_their_number) {
  test::byte_writer q5_0, q5_1;
  q5_0.put(half_of_half).put(0x80010002u).zeros(16);
  q5_1.put(half_of_half).put(half_of_minus_two).put(0x80010002u).zeros(16);
  const auto a = floats(dtype::q5_0, q5_0, 32);
  const auto b = floats(dtype::q5_1, q5_1, 32);
  for (std::size_t i = 0; i < 32; ++i) {
    const bool set = i == 1 || i == 16 || i == 31;
    BOOST_TEST(a[i] == (set ? 0.0f : -8.0f));
    BOOST_TEST(b[i] == (set ? 6.0f : -2.0f));
  }
}

BOOST_AUTO_TEST_CASE(eight_bit_blocks_are_signed) {
  test::byte_writer q8;
  q8.put(half_of_half);
  for (int i = 0; i < 32; ++i) q8.put(static_cast<std::int8_t>(i * 8 - 128));
  const auto a = floats(dtype::q8_0, q8, 32);
  for (std::size_t i = 0; i < 32; ++i) BOOST_TEST(a[i] == 0.5f * (static_cast<float>(i) * 8 - 128));
}

BOOST_AUTO_TEST_CASE(unaligned_sources_and_odd_lengths_are_read) {
  test::byte_writer w;
  w.put(std::uint8_t{0});
  for (std::uint16_t i = 0; i < 131; ++i) w.put(static_cast<std::uint16_t>(0x3c00 + i));
  std::vector<float> out(131);
  dequantize(dtype::f16, w.bytes().data() + 1, 131, out.data());
  for (std::size_t i = 0; i < 131; ++i) BOOST_TEST(out[i] == 1.0f + static_cast<float>(i) / 1024);
}

BOOST_AUTO_TEST_CASE(partial_blocks_and_types_that_are_only_listed_are_errors) {
  std::vector<std::byte> src(64);
  std::vector<float> dst(64);
  BOOST_TEST(
      fails_with(status::data, "31 values", [&] { dequantize(dtype::q4_0, src.data(), 31, dst.data()); }));
  BOOST_TEST(
      fails_with(status::data, "block type", [&] { dequantize(dtype::other, src.data(), 32, dst.data()); }));
  BOOST_CHECK_NO_THROW(dequantize(dtype::f32, nullptr, 0, nullptr));
}

BOOST_AUTO_TEST_CASE(all_block_types_equal_the_reference_bit_for_bit,
                     *boost::unit_test::precondition(test::with_reference)) {
  const gguf_file stored(test::reference_path() / "formats" / "blocks.gguf");
  const safetensors_file expected(test::reference_path() / "formats" / "blocks.safetensors");
  std::map<std::string, const safetensors_tensor*> want;
  for (const auto& t : expected.tensors()) want[t.view.name] = &t;
  int compared = 0;
  for (const gguf_tensor& t : stored.tensors()) {
    BOOST_TEST(std::string(dtype_name(t.view.type)) == t.type_name);
    const auto found = want.find(t.view.name);
    BOOST_REQUIRE(found != want.end());
    BOOST_REQUIRE(t.view.shape == found->second->view.shape);
    const std::size_t n = found->second->view.bytes / sizeof(float);
    std::vector<float> got(n);
    dequantize(t.view.type, t.view.data, n, got.data());
    BOOST_TEST(std::memcmp(got.data(), found->second->view.data, n * sizeof(float)) == 0,
               t.view.name << " differs");
    ++compared;
  }
  BOOST_TEST(compared == 16);
  BOOST_TEST(want.size() == 16u);
}

BOOST_AUTO_TEST_SUITE_END()
