// SPDX-License-Identifier: Apache-2.0
// Matrices as numpy prints them; the texts were printed by numpy 2.4 from the same values.
#include "depthlens/model/numpy_print.hpp"

#include <boost/test/unit_test.hpp>

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>

BOOST_AUTO_TEST_SUITE(numpy_print)

using depthlens::numpy_array_str;

namespace {

float plain(std::uint64_t r, std::uint64_t c) {
  return static_cast<float>(static_cast<int>((r * 30 + c) * 37 % 101) - 50) / 16;
}

}  // namespace

BOOST_AUTO_TEST_CASE(large_matrices_are_summarised_with_common_padding) {
  BOOST_TEST(numpy_array_str(40, 30, 1, plain) == R"([[-3.1 -0.8  1.5 ...  2.5 -1.5  0.8]
 [ 3.1 -0.9  1.4 ...  2.4 -1.6  0.8]
 [ 3.1 -0.9  1.4 ...  2.4 -1.6  0.7]
 ...
 [ 0.9 -3.1 -0.8 ...  0.2  2.5 -1.5]
 [ 0.8  3.1 -0.9 ...  0.1  2.4 -1.6]
 [ 0.8  3.1 -0.9 ...  0.1  2.4 -1.6]])");
}

BOOST_AUTO_TEST_CASE(values_of_very_different_size_are_printed_with_exponents) {
  const auto wide = [](std::uint64_t r, std::uint64_t c) {
    return std::ldexp(plain(r, c), static_cast<int>(c % 3) * 3 - 10);
  };
  BOOST_TEST(numpy_array_str(40, 30, 1, wide) ==
             R"([[-3.1e-03 -6.3e-03  9.4e-02 ...  2.4e-03 -1.2e-02  5.1e-02]
 [ 3.1e-03 -6.8e-03  9.0e-02 ...  2.4e-03 -1.2e-02  4.7e-02]
 [ 3.0e-03 -7.3e-03  8.6e-02 ...  2.3e-03 -1.3e-02  4.3e-02]
 ...
 [ 8.5e-04 -2.4e-02 -5.1e-02 ...  1.8e-04  2.0e-02 -9.4e-02]
 [ 7.9e-04  2.4e-02 -5.5e-02 ...  1.2e-04  1.9e-02 -9.8e-02]
 [ 7.3e-04  2.4e-02 -5.9e-02 ...  6.1e-05  1.9e-02 -1.0e-01]])");
}

BOOST_AUTO_TEST_CASE(small_matrices_are_printed_whole_and_wrapped) {
  const auto small = [](std::uint64_t r, std::uint64_t c) {
    return static_cast<float>(static_cast<int>((r * 24 + c) * 7 % 19) - 9) / 4;
  };
  BOOST_TEST(numpy_array_str(2, 24, 1, small) ==
             R"([[-2.2 -0.5  1.2 -1.8  0.   1.8 -1.2  0.5  2.2 -0.8  1.  -2.  -0.2  1.5
  -1.5  0.2  2.  -1.   0.8 -2.2 -0.5  1.2 -1.8  0. ]
 [ 1.8 -1.2  0.5  2.2 -0.8  1.  -2.  -0.2  1.5 -1.5  0.2  2.  -1.   0.8
  -2.2 -0.5  1.2 -1.8  0.   1.8 -1.2  0.5  2.2 -0.8]])");
}

BOOST_AUTO_TEST_CASE(undefined_and_infinite_values_take_the_room_they_need) {
  constexpr float inf = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  const float values[] = {nan, -inf, 1, 0.25f};
  const auto at = [&](std::uint64_t, std::uint64_t c) { return values[c]; };
  BOOST_TEST(numpy_array_str(1, 4, 1, at) == "[[ nan -inf  1.   0.2]]");
  BOOST_TEST(numpy_array_str(1, 1, 1, [](auto, auto) { return -0.0f; }) == "[[-0.]]");
}

BOOST_AUTO_TEST_SUITE_END()
