// SPDX-License-Identifier: Apache-2.0
// The cpu backend's activations and hyperbolic tangent against double precision.
#include "plugins/kernels/activation.hpp"
#include "plugins/kernels/softcap.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

BOOST_AUTO_TEST_SUITE(cpu_activation)

namespace {

using namespace depthlens::cpu;
using namespace depthlens::cpu::baseline;

double unit_at(double x) {
  const auto nearest = static_cast<float>(std::abs(x));
  return static_cast<double>(std::nextafter(nearest, std::numeric_limits<float>::infinity()) - nearest);
}

// Largest error of `got` over floats of every exponent and both signs up to `limit`, in units in the last
// place of the result, or of the larger of it and x (of_argument).
template <class Got, class Want>
double worst_error(Got&& got, Want&& want, float limit, bool of_argument) {
  double worst = 0;
  for (std::uint32_t bits = 0x20000000u; bits < std::bit_cast<std::uint32_t>(limit); bits += 499) {
    for (const float sign : {1.0f, -1.0f}) {
      const float x = sign * std::bit_cast<float>(bits);
      const double expected = want(static_cast<double>(x));
      const double size =
          of_argument ? std::max(std::abs(static_cast<double>(x)), std::abs(expected)) : expected;
      worst = std::max(worst, std::abs(static_cast<double>(got(x)) - expected) / unit_at(size));
    }
  }
  return worst;
}

float activated(activation kind, float x) {
  float out = 0;
  activate(kind, &x, nullptr, 1, &out);
  return out;
}

void expect_close(activation kind, double units, double (*want)(double)) {
  const double worst = worst_error([kind](float x) { return activated(kind, x); }, want, 1e4f, true);
  BOOST_TEST_MESSAGE("worst " << worst << " units in the last place");
  BOOST_TEST(worst <= units);
}

}  // namespace

BOOST_AUTO_TEST_CASE(activations_are_within_a_few_units_of_their_argument) {
  expect_close(activation::silu, 2, [](double x) { return x / (1 + std::exp(-x)); });
  expect_close(activation::gelu, 4, [](double x) { return x * std::erfc(-x / std::sqrt(2.0)) / 2; });
  expect_close(activation::gelu_tanh, 2, [](double x) {
    return x * (1 + std::tanh(std::sqrt(2 / std::acos(-1.0)) * (x + 0.044715 * x * x * x))) / 2;
  });
  expect_close(activation::relu, 0, [](double x) { return std::max(x, 0.0); });
}

BOOST_AUTO_TEST_CASE(the_hyperbolic_tangent_is_within_three_units_in_the_last_place) {
  const auto got = [](float x) { return tanh_any(splat(x))[0]; };
  const double worst = worst_error(
      got, [](double x) { return std::tanh(x); }, 100.0f, false);
  BOOST_TEST_MESSAGE("worst " << worst << " units in the last place");
  BOOST_TEST(worst <= 3.0);
  BOOST_TEST(got(std::numeric_limits<float>::infinity()) == 1.0f);
  BOOST_TEST(got(-std::numeric_limits<float>::infinity()) == -1.0f);
  BOOST_TEST(std::isnan(got(std::numeric_limits<float>::quiet_NaN())));
}

BOOST_AUTO_TEST_CASE(a_value_is_the_same_wherever_it_lies_in_a_row) {
  std::vector<float> x(101), factor(101, 1.0f), plain(101), gated(101), capped;
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i) * 0.13f - 6.0f;
  capped = x;
  soft_cap(capped.data(), capped.size(), 3.0f);
  for (const activation kind :
       {activation::silu, activation::gelu, activation::gelu_tanh, activation::relu}) {
    activate(kind, x.data(), nullptr, x.size(), plain.data());
    activate(kind, x.data(), factor.data(), x.size(), gated.data());
    std::size_t different = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      float alone = x[i];
      soft_cap(&alone, 1, 3.0f);
      different += plain[i] == activated(kind, x[i]) && gated[i] == plain[i] && alone == capped[i] ? 0 : 1;
    }
    BOOST_TEST(different == 0u);
  }
}

BOOST_AUTO_TEST_CASE(activations_of_what_is_not_a_number_are_not_a_number) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const activation kind :
       {activation::silu, activation::gelu, activation::gelu_tanh, activation::relu}) {
    BOOST_TEST(std::isnan(activated(kind, nan)));
  }
}

BOOST_AUTO_TEST_SUITE_END()
