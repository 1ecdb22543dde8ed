// SPDX-License-Identifier: Apache-2.0
// The cpu backend's rounding to bf16, over every exponent and every place of a number between two others.
#include "plugins/kernels/bf16.hpp"

#include <boost/test/unit_test.hpp>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

BOOST_AUTO_TEST_SUITE(cpu_bf16)

namespace {

using depthlens::cpu::bf16;
using namespace depthlens::cpu::baseline;

std::uint32_t rounded(float x) {
  bf16 out{};
  to_bf16(&x, 1, &out);
  return static_cast<std::uint32_t>(out);
}

float widened(std::uint32_t bits) { return std::bit_cast<float>(bits << 16); }

}  // namespace

BOOST_AUTO_TEST_CASE(numbers_that_are_bf16_stay_as_they_are) {
  std::size_t changed = 0;
  for (std::uint32_t bits = 0; bits < 0x10000u; ++bits) {
    const float x = widened(bits);
    if (std::isnan(x) || std::fpclassify(x) == FP_SUBNORMAL) continue;
    changed += rounded(x) == bits ? 0 : 1;
  }
  BOOST_TEST(changed == 0u);
}

BOOST_AUTO_TEST_CASE(others_go_to_the_nearest_and_in_the_middle_to_the_even_one) {
  std::size_t wrong = 0;
  for (std::uint32_t high = 0x0080u; high < 0x7f80u; ++high) {
    for (const std::uint32_t low : {0x0001u, 0x7fffu, 0x8000u, 0x8001u, 0xffffu}) {
      const std::uint32_t up = low > 0x8000u || (low == 0x8000u && (high & 1u) != 0) ? 1 : 0;
      for (const std::uint32_t sign : {0u, 0x8000u}) {
        wrong += rounded(std::bit_cast<float>((high | sign) << 16 | low)) == ((high + up) | sign) ? 0 : 1;
      }
    }
  }
  BOOST_TEST(wrong == 0u);
}

BOOST_AUTO_TEST_CASE(subnormal_numbers_become_zeros_and_nans_stay_quiet_nans) {
  BOOST_TEST(rounded(std::bit_cast<float>(0x007fffffu)) == 0u);
  BOOST_TEST(rounded(std::bit_cast<float>(0x80000001u)) == 0x8000u);
  for (const std::uint32_t bits : {0x7f800001u, 0x7fffffffu, 0xff800001u, 0xffc00000u}) {
    const std::uint32_t got = rounded(std::bit_cast<float>(bits));
    BOOST_TEST(std::isnan(widened(got)));
    BOOST_TEST((got & 0x40u) != 0u);
    BOOST_TEST((got >> 15) == (bits >> 31));
  }
  BOOST_TEST(rounded(std::numeric_limits<float>::max()) == 0x7f80u);
  BOOST_TEST(rounded(-std::numeric_limits<float>::infinity()) == 0xff80u);
}

BOOST_AUTO_TEST_CASE(the_kernels_of_this_cpu_round_to_the_same_bits) {
  std::vector<float> x;
  for (std::uint32_t high = 0; high < 0x10000u; ++high)
    for (const std::uint32_t low : {0x0000u, 0x0001u, 0x7fffu, 0x8000u, 0x8001u, 0xffffu})
      x.push_back(std::bit_cast<float>(high << 16 | low));
  std::vector<bf16> own(x.size()), plain(x.size());
  depthlens::cpu::kernels().to_bf16(x.data(), x.size(), own.data());
  to_bf16(x.data(), x.size(), plain.data());
  BOOST_TEST_MESSAGE("kernels: " << depthlens::cpu::kernels().name);
  BOOST_TEST((own == plain));
}

BOOST_AUTO_TEST_CASE(rows_of_any_length_round_like_single_numbers_and_no_further) {
  for (std::size_t n = 1; n <= 70; ++n) {
    std::vector<float> x(n);
    for (std::size_t i = 0; i < n; ++i) x[i] = std::sin(static_cast<float>(i + n)) * 3.0f;
    std::vector<bf16> out(n + 1, static_cast<bf16>(0x1234));
    std::vector<float> back(n);
    to_bf16(x.data(), n, out.data());
    from_bf16(out.data(), n, back.data());
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < n; ++i) wrong += back[i] == widened(rounded(x[i])) ? 0 : 1;
    BOOST_TEST(wrong == 0u);
    BOOST_TEST(static_cast<std::uint32_t>(out[n]) == 0x1234u);
  }
}

BOOST_AUTO_TEST_SUITE_END()
