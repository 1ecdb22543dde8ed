// SPDX-License-Identifier: Apache-2.0
// The cpu backend's exponential, over every exponent a float can have.
#include "plugins/kernels/exp.hpp"

#include <boost/test/unit_test.hpp>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

BOOST_AUTO_TEST_SUITE(cpu_exp)

namespace {

using namespace depthlens::cpu::baseline;

float exp_of(float x) { return exp_any(splat(x))[0]; }

}  // namespace

BOOST_AUTO_TEST_CASE(the_exponential_is_within_two_units_in_the_last_place) {
  double worst = 0;
  std::size_t n = 0;
  for (std::uint32_t bits = 0; bits < 0x7f800000u; bits += 499) {
    for (const float sign : {1.0f, -1.0f}) {
      const float x = sign * std::bit_cast<float>(bits);
      if (x < exp_lowest || x > exp_highest) continue;
      const double want = std::exp(static_cast<double>(x));
      const auto nearest = static_cast<float>(want);
      const double unit =
          static_cast<double>(std::nextafter(nearest, std::numeric_limits<float>::infinity()) - nearest);
      worst = std::max(worst, std::abs(static_cast<double>(exp_of(x)) - want) / unit);
      ++n;
    }
  }
  BOOST_TEST_MESSAGE("worst " << worst << " units in the last place over " << n << " values");
  BOOST_TEST(n > 1000000u);
  BOOST_TEST(worst <= 2.0);
}

BOOST_AUTO_TEST_CASE(the_ends_of_the_range_are_zero_infinity_and_nan) {
  const float infinity = std::numeric_limits<float>::infinity();
  BOOST_TEST(exp_of(0.0f) == 1.0f);
  BOOST_TEST(exp_of(-0.0f) == 1.0f);
  BOOST_TEST(exp_of(-88.0f) == 0.0f);
  BOOST_TEST(exp_of(-infinity) == 0.0f);
  BOOST_TEST(exp_of(89.0f) == infinity);
  BOOST_TEST(exp_of(infinity) == infinity);
  BOOST_TEST(std::isfinite(exp_of(exp_highest)));
  for (const std::uint32_t bits : {0x7fc00000u, 0x7fc00001u, 0xffffffffu}) {
    BOOST_TEST(std::isnan(exp_of(std::bit_cast<float>(bits))));
  }
}

BOOST_AUTO_TEST_SUITE_END()
