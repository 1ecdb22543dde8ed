// SPDX-License-Identifier: Apache-2.0
// Checked arithmetic at and beyond the edge of its types.
#include "depthlens/base/checked.hpp"

#include <boost/test/unit_test.hpp>
#include <cstdint>
#include <limits>

#include "support/model_bytes.hpp"

using namespace depthlens;
using depthlens::test::fails_with;

namespace {
constexpr std::uint64_t top = std::numeric_limits<std::uint64_t>::max();
}

BOOST_AUTO_TEST_SUITE(checked)

BOOST_AUTO_TEST_CASE(results_that_fit_are_exact) {
  BOOST_TEST(checked_add(top - 1, 1u, "x") == top);
  BOOST_TEST(checked_mul(top / 2, 2u, "x") == top - 1);
  BOOST_TEST(checked_mul(std::uint64_t{0}, top, "x") == 0u);
  BOOST_TEST(checked_sub(std::uint32_t{7}, 7u, "x") == 0u);
  BOOST_TEST(checked_align(std::uint64_t{33}, 32u, "x") == 64u);
  BOOST_TEST(checked_align(std::uint64_t{64}, 32u, "x") == 64u);
  BOOST_TEST(checked_narrow<std::int32_t>(std::uint64_t{0x7fffffff}, "x") == 0x7fffffff);
}

BOOST_AUTO_TEST_CASE(small_types_do_not_wrap_through_int) {
  BOOST_TEST(checked_add(std::uint8_t{250}, std::uint8_t{5}, "x") == 255);
  BOOST_TEST(
      fails_with(status::data, "250 + 6", [] { checked_add(std::uint8_t{250}, std::uint8_t{6}, "x"); }));
  BOOST_TEST(
      fails_with(status::data, "size of x: ", [] { checked_mul(std::uint16_t{256}, 256, "size of x"); }));
}

BOOST_AUTO_TEST_CASE(results_that_wrap_are_data_errors_with_their_context) {
  BOOST_TEST(fails_with(status::data, "here: ", [] { checked_add(top, 1u, "here"); }));
  BOOST_TEST(fails_with(status::data, "here: ", [] { checked_mul(top / 2 + 1, 2u, "here"); }));
  BOOST_TEST(fails_with(status::data, "3 - 4", [] { checked_sub(std::uint64_t{3}, 4u, "here"); }));
  BOOST_TEST(fails_with(status::data, "made: ", [] { checked_align(top - 3, 32u, [] { return "made"; }); }));
  BOOST_TEST(
      fails_with(status::data, "4294967296", [] { checked_narrow<std::uint32_t>(1ull << 32, "here"); }));
}

BOOST_AUTO_TEST_SUITE_END()
